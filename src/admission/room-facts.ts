import type { Backup, PersistentVolumeClaim } from "../kube/objects.ts";
import type { RetentionPolicy } from "../policy/schema.ts";
import type { Lookup } from "./lookup.ts";
import { volumeNameOf } from "./original.ts";
import type { RoomFacts } from "./room-needed.ts";
import { volumeFactsOf } from "./volume-facts.ts";

/** What is known already when a volume is looked up. */
export interface RoomContext {
  readonly policy: RetentionPolicy;
  readonly backup: Backup;
  /** The PVC, where the policy names volumes by its UID. */
  readonly claim: PersistentVolumeClaim | undefined;
}

/**
 * How many snapshots a volume has, and what its number depends on. Never rejects, since a look-up that fails must not
 * keep a snapshot from its labels: then its number is not known.
 */
export async function gatherRoomFacts(
  lookup: Lookup,
  { namespace, name }: { readonly namespace: string; readonly name: string },
  { policy, backup, claim: known }: RoomContext,
): Promise<RoomFacts> {
  const found = await lookup.claimWithVolume(namespace, name).catch(() => undefined);
  const { claim, volume } = found ?? {};
  const csi = volume?.spec?.csi ?? undefined;
  const volumeName = volumeNameOf(policy, { namespace, name }, known?.metadata.uid) ?? "";
  const stored = csi && { driver: csi.driver, handle: csi.volumeHandle };
  const facts = volumeFactsOf({ namespace, backup, claim, driver: csi?.driver });
  return { facts: found && facts, taken: lookup.snapshotsOf({ volumeName, stored }) };
}
