import { toLabelValue } from "../kube/label-value.ts";
import type { VolumeRef } from "./plan.ts";

/**
 * Identifies a volume among all that have snapshots. A label value is short for a long name, and another claim can be called
 * what it is shortened to: where the label was made of the claim's name, the name itself is the key, so that the one's
 * snapshots never count as the other's.
 */
export function volumeKeyOf({
  volumeName,
  volume: { namespace = "", name },
}: {
  /** As in the label velero.io/snapshot-volume-name. */
  readonly volumeName: string;
  readonly volume: VolumeRef;
}): string {
  return toLabelValue(`${namespace}.${name}`) === volumeName ? `${namespace}/${name}` : volumeName;
}
