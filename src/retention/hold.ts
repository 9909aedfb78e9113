import { CONTENT_FINALIZER, HOLD_FINALIZER } from "../kube/keys.ts";
import type { VolumeSnapshotContent } from "./objects.ts";

/** Whether somebody has deleted it; finalizers may keep it. */
export function isBeingDeleted({ metadata }: VolumeSnapshotContent): boolean {
  return typeof metadata.deletionTimestamp === "string";
}

/** Whether it was deleted while its snapshot is to stay, and our finalizer keeps the object: nothing is lost yet. */
export function isHeldBack(content: VolumeSnapshotContent): boolean {
  return isBeingDeleted(content) && isHeld(content) && content.spec.deletionPolicy === "Retain";
}

/** Whether our finalizer is all that is left to do: the sidecar has freed its snapshot, which clears the status. */
export function isFreed(content: VolumeSnapshotContent): boolean {
  const { spec, status } = content;
  const isCleared = status !== undefined && status !== null && (status.snapshotHandle ?? "") === "";
  return isBeingDeleted(content) && isHeld(content) && spec.deletionPolicy === "Delete" && isCleared;
}

/** All that it should have while its snapshot is to stay; undefined where it has. */
export function finalizersToHold(content: VolumeSnapshotContent): readonly string[] | undefined {
  return isHeld(content) ? undefined : [...finalizersOf(content), HOLD_FINALIZER];
}

/** What is left of them without ours. */
export function finalizersWithoutHold(content: VolumeSnapshotContent): readonly string[] {
  return finalizersOf(content).filter((finalizer) => finalizer !== HOLD_FINALIZER);
}

/**
 * All that it should have when its snapshot is to be freed; undefined where it has. The sidecar's keeps the object until the
 * snapshot is freed; where it was deleted and that one is gone already, none can be added, and ours has to do it.
 */
export function finalizersToFree(content: VolumeSnapshotContent): readonly string[] | undefined {
  const others = finalizersWithoutHold(content);
  const isKept = others.includes(CONTENT_FINALIZER);
  if (!isKept && isBeingDeleted(content)) {
    return undefined;
  }
  const wanted = isKept ? others : [...others, CONTENT_FINALIZER];
  return isHeld(content) || !isKept ? wanted : undefined;
}

/**
 * The name under which it is made again where no DataUpload has it on record: the new one has to be there before the old
 * one is let go.
 */
export function successorName({ metadata }: VolumeSnapshotContent): string {
  return `again-${metadata.uid ?? ""}`;
}

function isHeld(content: VolumeSnapshotContent): boolean {
  return finalizersOf(content).includes(HOLD_FINALIZER);
}

function finalizersOf({ metadata }: VolumeSnapshotContent): readonly string[] {
  return metadata.finalizers ?? [];
}
