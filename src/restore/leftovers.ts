import { BEING_DELETED_ANNOTATION, RECLAIM_POLICY_ANNOTATION } from "../kube/keys.ts";
import { valueOf } from "../kube/objects.ts";
import type { Metadata } from "../kube/objects.ts";
import { isHeld } from "./binding.ts";
import { madeFor } from "./names.ts";
import type { Claim, Content, Snapshot, Volume } from "./objects.ts";
import type { Unhold } from "./step.ts";

/** What is left of a restore that is over, handed back or gone; each as far as it exists. */
export interface Leftovers {
  readonly claim: Claim | undefined;
  readonly snapshot: Snapshot | undefined;
  readonly content: Content | undefined;
  /** The volume of that claim, and those kept for the restore, each with the claim that it is reserved for, as far as that exists. */
  readonly volumes: readonly { readonly volume: Volume; readonly holder: Claim | undefined }[];
}

/** One step of cleaning up. */
export type Cleaning =
  | Unhold
  /** A volume that nobody is bound to: taken for released by Kubernetes, it goes from the storage as well. */
  | { readonly kind: "abandon"; readonly volume: Metadata }
  | { readonly kind: "delete_claim"; readonly claim: Metadata }
  | { readonly kind: "delete_snapshot"; readonly snapshot: Metadata }
  /** Without this mark the sidecar would wait for the VolumeSnapshot for ever. */
  | { readonly kind: "mark_content"; readonly content: Metadata }
  /** Somebody changed its policy: with Delete the retained snapshot would go with it. */
  | { readonly kind: "keep_snapshot"; readonly content: Metadata }
  | { readonly kind: "delete_content"; readonly content: Metadata };

/**
 * All that can be done now: the claim with its volume, the VolumeSnapshot, and once that is gone the content, of which
 * nothing but the object goes.
 */
export function decideCleaning(left: Leftovers): Cleaning[] {
  const { claim, snapshot } = left;
  const volumes = left.volumes
    .map(({ volume, holder }) => releaseVolume(volume, holder))
    .filter((cleaning) => cleaning !== undefined);
  // A volume goes with its claim only if its policy says so by then.
  const isReady = isThere(claim) && !left.volumes.some(({ volume }) => isToBeDeletable(volume, claim));
  return [
    ...volumes,
    ...(isReady ? [{ kind: "delete_claim", claim: claim.metadata } as const] : []),
    ...(isThere(snapshot) ? [{ kind: "delete_snapshot", snapshot: snapshot.metadata } as const] : []),
    ...(snapshot === undefined ? cleanContent(left.content) : []),
  ];
}

function isToBeDeletable({ metadata, spec }: Volume, claim: Claim): boolean {
  return claim.spec.volumeName === metadata.name && spec.persistentVolumeReclaimPolicy !== "Delete";
}

function isThere<T extends { readonly metadata: Metadata }>(object: T | undefined): object is T {
  return object !== undefined && typeof object.metadata.deletionTimestamp !== "string";
}

function releaseVolume(volume: Volume, holder: Claim | undefined): Cleaning | undefined {
  const { metadata, spec } = volume;
  const isUsed = holder !== undefined && holder.spec.volumeName === metadata.name;
  if (isUsed && madeFor(holder.metadata) !== undefined) {
    // Whatever its class says: nobody else will ever use it.
    return isHeld(volume) || isToBeDeletable(volume, holder)
      ? { kind: "unhold", volume: metadata, reclaimPolicy: "Delete" }
      : undefined;
  }
  const own = valueOf(metadata.annotations, RECLAIM_POLICY_ANNOTATION) ?? spec.persistentVolumeReclaimPolicy;
  return isUsed
    ? { kind: "unhold", volume: metadata, reclaimPolicy: own }
    : { kind: "abandon", volume: metadata };
}

function cleanContent(content: Content | undefined): Cleaning[] {
  if (content === undefined) return [];
  const { metadata, spec } = content;
  if (spec.deletionPolicy !== "Retain") {
    return [{ kind: "keep_snapshot", content: metadata }];
  }
  const wasBound = (spec.volumeSnapshotRef.uid ?? "") !== "";
  if (wasBound && valueOf(metadata.annotations, BEING_DELETED_ANNOTATION) !== "yes") {
    return [{ kind: "mark_content", content: metadata }];
  }
  return isThere(content) ? [{ kind: "delete_content", content: metadata }] : [];
}
