import { BEING_DELETED_ANNOTATION, RELEASED_LABEL } from "../kube/keys.ts";
import { valueOf } from "../kube/objects.ts";
import type { Going } from "./budget.ts";
import { finalizersToFree, isBeingDeleted } from "./hold.ts";
import { isDeleting, isRunning } from "./lifecycle.ts";
import { referenceTo } from "./objects.ts";
import type { DataUpload, VolumeSnapshotContent } from "./objects.ts";
import type { Free, LeftOver } from "./plan.ts";
import { releasedAs } from "./record.ts";
import type { Relations } from "./relations.ts";
import { meaningOf } from "./reasons.ts";
import { timeOf } from "./time.ts";

/** Velero deletes the VolumeSnapshot of a clone itself, right before or after its DataUpload's last phase. */
const VELERO_CLEANS_MS = 30_000;

/** The freeing of a snapshot, with all that its steps depend on; undefined where somebody else is at it. */
export function freeOf(going: Going, relations: Relations, now: number): Free | undefined {
  const { entry, decision, started, makesRoom } = going;
  const { snapshot } = entry;
  const { content, identity } = snapshot;
  if (content === undefined || decision.reason === "being_deleted") {
    return undefined;
  }
  const { upload } = identity;
  const at = deleteAt(upload, now);
  const isReleased = upload === undefined || releasedAs(upload) !== undefined;
  return {
    kind: "free",
    key: snapshot.name,
    reason: decision.reason,
    message: meaningOf(decision.reason),
    content: referenceTo(content.metadata),
    handle: snapshot.handle,
    driver: content.spec.driver,
    started,
    makesRoom,
    deleting: isDeleting(snapshot),
    deletionPolicy: content.spec.deletionPolicy,
    labels: { [RELEASED_LABEL]: decision.reason },
    finalizers: finalizersToFree(content),
    bound: isBound(content),
    markedBeingDeleted: isMarked(content),
    handleInStatus: (content.status?.snapshotHandle ?? "") !== "",
    snapshot: snapshotOf(content, relations, at),
    release: isReleased ? undefined : referenceTo(upload.metadata),
    original: snapshot.original && leftOver(snapshot.original, relations, at),
  };
}

function leftOver(original: VolumeSnapshotContent, relations: Relations, at: number): LeftOver {
  return {
    content: referenceTo(original.metadata),
    deleting: isBeingDeleted(original),
    unmarked: isBound(original) && !isMarked(original),
    snapshot: snapshotOf(original, relations, at),
  };
}

function isBound({ spec }: VolumeSnapshotContent): boolean {
  return (spec.volumeSnapshotRef.uid ?? "") !== "";
}

function isMarked({ metadata }: VolumeSnapshotContent): boolean {
  return valueOf(metadata.annotations, BEING_DELETED_ANNOTATION) === "yes";
}

/** Its VolumeSnapshot, if the one of that name is the one that the content was bound to. */
function snapshotOf(content: VolumeSnapshotContent, relations: Relations, at: number): Free["snapshot"] {
  const { namespace = "", name = "", uid = "" } = content.spec.volumeSnapshotRef;
  const found = relations.snapshot(namespace, name)?.metadata;
  return found === undefined || (uid !== "" && found.uid !== uid)
    ? undefined
    : { ...referenceTo(found), deleteAt: at };
}

function deleteAt(upload: DataUpload | undefined, now: number): number {
  if (upload === undefined || isRunning(upload)) {
    return now;
  }
  return (timeOf(upload.status?.completionTimestamp) ?? now - VELERO_CLEANS_MS) + VELERO_CLEANS_MS;
}
