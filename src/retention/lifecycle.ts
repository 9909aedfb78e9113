import { RELEASE_LABEL, RELEASED_LABEL } from "../kube/keys.ts";
import { valueOf } from "../kube/objects.ts";
import type { BackupState } from "./backup-state.ts";
import { isBeingDeleted, isHeldBack } from "./hold.ts";
import type { DataUpload } from "./objects.ts";
import type { Stage } from "./plan.ts";
import { GOING_REASONS } from "./reasons.ts";
import type { GoingReason, KeptReason } from "./reasons.ts";
import { releasedAs } from "./record.ts";
import { decisionOf } from "./storage-snapshot.ts";
import type { StorageSnapshot } from "./storage-snapshot.ts";
import { timeOf } from "./time.ts";

/** What the life of a snapshot so far makes of it, before its volume's limits are looked at. */
export type Course =
  /** Being taken, or its data being copied: it takes up a place and is not ours to free. */
  | Keeping<"in_flight">
  /** Retained, but out of our hands for the moment: its object is gone, or somebody is about to delete it. */
  | Keeping<"held">
  /** Not retained, and not ours to free. */
  | Keeping<"left">
  /** Good to be retained, within the limits; `mark`: it is not labelled so yet. */
  | { readonly kind: "retained"; readonly stage: Stage; readonly mark: boolean }
  | { readonly kind: "going"; readonly stage: Stage; readonly reason: GoingReason };

interface Keeping<Kind extends string> {
  readonly kind: Kind;
  readonly stage: Stage;
  readonly reason: KeptReason;
  /** When to look again. */
  readonly until?: number | undefined;
}

/** What a snapshot's course depends on. */
export interface Circumstances {
  readonly snapshot: StorageSnapshot;
  readonly backup: BackupState;
  /** The number of its volume allows at least one. */
  readonly wanted: boolean;
  readonly now: number;
}

/** How long a mover may go on after its Backup has ended, as Velero gives up a stale one after an hour at most. */
export const MOVER_GRACE_MS = 60 * 60 * 1000;

/** Whether somebody deleted its content already: what the policy said then happens, unless we hold the object back. */
export function isDeleting({ content }: StorageSnapshot): boolean {
  return content !== undefined && isBeingDeleted(content) && !isHeldBack(content);
}

/** No DataUpload leaves one of these (velero data_upload_controller.go, isDataUploadInFinalState). */
const FINAL: readonly string[] = ["Completed", "Failed", "Canceled"];

/** Whether a mover may still be reading the snapshot. */
export function isRunning(upload: DataUpload | undefined): boolean {
  return upload !== undefined && !FINAL.includes(upload.status?.phase ?? "");
}

/** The first of these that has something to say decides. */
const CHECKS: readonly ((circumstances: Circumstances) => Course | undefined)[] = [
  objectMissing,
  beingTaken,
  groupMember,
  released,
  beingDeleted,
  backupDeleted,
  notWanted,
  uploadFailed,
  uploading,
  deletePolicy,
  backupAway,
  uploadedTooLate,
  unproven,
  releaseAsked,
];

/** The course of a snapshot. One that nothing speaks against is retained. */
export function courseOf(circumstances: Circumstances): Course {
  for (const check of CHECKS) {
    const course = check(circumstances);
    if (course !== undefined) {
      return course;
    }
  }
  return circumstances.snapshot.retained ? RETAINED : TO_BE_RETAINED;
}

// What most snapshots are: one object for all of them.
const RETAINED: Course = { kind: "retained", stage: "retained", mark: false };
const TO_BE_RETAINED: Course = { kind: "retained", stage: "retained", mark: true };

function objectMissing({ snapshot }: Circumstances): Course | undefined {
  const { content, original, originalSnapshot } = snapshot;
  return content === undefined && original === undefined && originalSnapshot === undefined
    ? { kind: "held", stage: "missing", reason: "object_missing" }
    : undefined;
}

function beingTaken({ snapshot }: Circumstances): Course | undefined {
  return snapshot.content === undefined
    ? { kind: "in_flight", stage: "taking", reason: "being_taken" }
    : undefined;
}

function groupMember({ snapshot }: Circumstances): Course | undefined {
  if (!snapshot.groupMember) {
    return undefined;
  }
  return { kind: "left", stage: stageOf(snapshot), reason: "group_member" };
}

function released({ snapshot }: Circumstances): Course | undefined {
  const code =
    valueOf(snapshot.content?.metadata.labels, RELEASED_LABEL) ?? releasedAs(snapshot.identity.upload);
  if (code === undefined) {
    return undefined;
  }
  return { kind: "going", stage: stageOf(snapshot), reason: isGoingReason(code) ? code : "released" };
}

function beingDeleted({ snapshot }: Circumstances): Course | undefined {
  if (!isDeleting(snapshot)) {
    return undefined;
  }
  return snapshot.content?.spec.deletionPolicy === "Retain"
    ? { kind: "held", stage: stageOf(snapshot), reason: "deleted_by_hand" }
    : { kind: "going", stage: stageOf(snapshot), reason: "being_deleted" };
}

function isGoingReason(code: string): code is GoingReason {
  return Object.hasOwn(GOING_REASONS, code);
}

function backupDeleted({ snapshot, backup }: Circumstances): Course | undefined {
  return backup.kind === "deleted" && !isRunning(snapshot.identity.upload)
    ? { kind: "going", stage: stageOf(snapshot), reason: "backup_deleted" }
    : undefined;
}

/** Nothing was promised: where nobody decided, a content that was set to Retain is one that we set so. */
function notWanted({ snapshot, wanted }: Circumstances): Course | undefined {
  const isOurs = wanted || snapshot.content?.spec.deletionPolicy === "Retain";
  const decided = decisionOf(snapshot.identity.upload) ?? isOurs;
  return decided || snapshot.retained
    ? undefined
    : { kind: "left", stage: stageOf(snapshot), reason: "not_wanted" };
}

function uploadFailed({ snapshot }: Circumstances): Course | undefined {
  const phase = snapshot.identity.upload?.status?.phase;
  if (phase !== "Failed" && phase !== "Canceled") {
    return undefined;
  }
  return { kind: "going", stage: "failed", reason: phase === "Failed" ? "upload_failed" : "upload_canceled" };
}

function uploading({ snapshot, backup, now }: Circumstances): Course | undefined {
  if (!isRunning(snapshot.identity.upload)) {
    return undefined;
  }
  if (!hasEnded(backup)) {
    return { kind: "in_flight", stage: "copying", reason: "uploading" };
  }
  const until = (backup.endedAt ?? snapshot.bornAt ?? now) + MOVER_GRACE_MS;
  return now >= until
    ? { kind: "going", stage: "failed", reason: "mover_never_finished" }
    : { kind: "in_flight", stage: "copying", reason: "uploading", until };
}

type Ended = Extract<BackupState, { readonly endedAt: number | undefined }>;

function hasEnded(backup: BackupState): backup is Ended {
  return backup.kind === "completed" || backup.kind === "partially_failed" || backup.kind === "failed";
}

/** With the policy Delete, it goes with its VolumeSnapshot, or with the hand that set it. */
function deletePolicy({ snapshot }: Circumstances): Course | undefined {
  if (snapshot.content?.spec.deletionPolicy === "Retain") {
    return undefined;
  }
  return snapshot.retained
    ? { kind: "held", stage: "retained", reason: "set_to_delete_by_hand" }
    : { kind: "left", stage: stageOf(snapshot), reason: "left_to_velero" };
}

function backupAway({ snapshot, backup }: Circumstances): Course | undefined {
  const stage = stageOf(snapshot);
  if (backup.kind === "replaced" || backup.kind === "gone") {
    return { kind: "going", stage, reason: backup.kind === "gone" ? "backup_gone" : "backup_replaced" };
  }
  if (snapshot.retained) {
    return undefined;
  }
  if (backup.kind === "missing") {
    return { kind: "in_flight", stage: "copied", reason: "backup_missing", until: backup.recheckAt };
  }
  return backup.kind === "in_progress"
    ? { kind: "in_flight", stage: "copied", reason: "waiting_for_backup" }
    : undefined;
}

function uploadedTooLate({ snapshot, backup }: Circumstances): Course | undefined {
  const { identity, retained } = snapshot;
  const uploadedAt = timeOf(identity.upload?.status?.completionTimestamp);
  if (retained || !hasEnded(backup) || backup.endedAt === undefined || uploadedAt === undefined) {
    return undefined;
  }
  // Velero writes whole seconds, another data mover perhaps parts of one: within the same second nothing is late.
  return Math.floor(uploadedAt / 1000) > Math.floor(backup.endedAt / 1000)
    ? { kind: "going", stage: "failed", reason: "upload_too_late" }
    : undefined;
}

/** What is not labelled as retained needs a proof: a DataUpload that completed, or a Backup in which all did. */
function unproven({ snapshot, backup }: Circumstances): Course | undefined {
  if (snapshot.retained) {
    return undefined;
  }
  if (backup.kind === "failed") {
    return { kind: "going", stage: "failed", reason: "backup_failed" };
  }
  if (snapshot.identity.upload !== undefined || backup.kind === "completed") {
    return undefined;
  }
  return backup.kind === "partially_failed"
    ? { kind: "going", stage: "failed", reason: "upload_unproven" }
    : { kind: "left", stage: "other", reason: "unproven" };
}

function releaseAsked({ snapshot }: Circumstances): Course | undefined {
  const asked = valueOf(snapshot.content?.metadata.labels, RELEASE_LABEL) ?? "false";
  return asked === "false" ? undefined : { kind: "going", stage: "retained", reason: "release_asked" };
}

function stageOf({ identity, retained }: StorageSnapshot): Stage {
  if (retained) {
    return "retained";
  }
  if (isRunning(identity.upload)) {
    return "copying";
  }
  return identity.upload?.status?.phase === "Completed" ? "copied" : "other";
}
