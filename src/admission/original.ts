import { toLabelValue } from "../kube/label-value.ts";
import type { StringMap } from "../kube/objects.ts";
import type { RetentionPolicy } from "../policy/schema.ts";
import { inheritableLabels } from "./inherit.ts";
import type { Inherited } from "./inherited.ts";

/** What is known of an original when it is created. */
export interface OriginalFacts {
  readonly kind: string;
  readonly volume: Inherited["volume"];
  readonly volumeName: string;
  readonly backup?: Inherited["backup"];
  readonly snapshot?: Inherited["snapshot"];
  /** All labels of the object; those that do not travel are left out. */
  readonly labels: StringMap | null | undefined;
}

/**
 * The document of an original. It gets a new alias, or keeps the one that an earlier pass of the same request
 * gave it: `earlier` is what we wrote on the object before.
 */
export function describeOriginal(
  facts: OriginalFacts,
  earlier: Inherited | undefined,
  randomId: () => string,
): Inherited {
  const { kind, volume, volumeName, backup, snapshot, labels } = facts;
  return {
    version: 1,
    kind,
    alias: earlier !== undefined && isSame(earlier, facts) ? earlier.alias : randomId(),
    volumeName,
    volume,
    ...(backup === undefined ? {} : { backup }),
    ...(snapshot === undefined ? {} : { snapshot }),
    labels: inheritableLabels(labels),
  };
}

/** The volume's identity as a label value, by the policy's choice; undefined where it takes a UID that is not known. */
export function volumeNameOf(
  policy: RetentionPolicy,
  volume: { readonly namespace: string; readonly name: string },
  uid: string | undefined,
): string | undefined {
  return policy.volumeName === "uid" ? uid : toLabelValue(`${volume.namespace}.${volume.name}`);
}

function isSame(earlier: Inherited, facts: OriginalFacts): boolean {
  return (
    earlier.kind === facts.kind &&
    earlier.volumeName === facts.volumeName &&
    earlier.backup?.name === facts.backup?.name
  );
}
