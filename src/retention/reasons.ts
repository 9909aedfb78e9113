/** Why a snapshot stays: stable codes for messages, metrics and `-o json`, each with what it means. */
export const KEPT_REASONS = {
  within_number: "among the newest of its volume that the number allows",
  kept_by_bucket: "the newest of an hour, day, week or month that the policy keeps",
  younger_than_min_age: "younger than the policy's minAge",
  last_good: "the newest good one of its volume, which keepAtLeastOne protects",
  pinned: "pinned by the label snapshot-retainer.io/pin",
  in_restore: "a volume is being restored from it",
  source_of_claim: "the data source of a PersistentVolumeClaim that is not bound yet",
  shared_handle: "another VolumeSnapshotContent stands for the same snapshot on the storage",
  backup_in_progress: "its Backup is still in progress",
  being_taken: "being taken: Velero's original, which is never touched",
  uploading: "its data is being copied",
  waiting_for_backup: "its data was copied; its Backup has not ended yet",
  backup_missing: "its Backup was not found; the sweep frees it when it stays away",
  unproven: "nothing says whether its data was copied",
  left_to_velero: "not retained in time, so Velero deletes it as it always did",
  not_wanted: "not to be retained, as was decided when its DataUpload was made",
  group_member: "a member of a VolumeGroupSnapshot, which cannot be freed by its content",
  set_to_delete_by_hand: "its policy was set to Delete by hand: it goes when it is deleted",
  deleted_by_hand: "deleted by hand with the policy Retain: made again as soon as it is gone",
  object_missing: "its object is gone though its snapshot is on the storage: made again",
} as const;
export type KeptReason = keyof typeof KEPT_REASONS;

/** Why a snapshot goes. */
export const GOING_REASONS = {
  number_is_zero: "the number of its volume is 0",
  over_number: "its volume has newer ones, as many as the number allows",
  over_ceiling: "its volume on the storage has newer ones, as many as the ceiling allows",
  making_room: "a new snapshot of its volume is about to be taken",
  older_than_max_age: "older than the policy's maxAge",
  not_in_a_bucket: "no hour, day, week or month of the policy keeps it",
  upload_failed: "copying its data failed",
  upload_canceled: "copying its data was cancelled",
  upload_too_late: "its data was copied only after its Backup had ended",
  upload_unproven:
    "nothing proves that its data was copied: its DataUpload is gone and its Backup did not complete",
  mover_never_finished: "its Backup ended more than an hour ago and its data is still not copied",
  backup_failed: "its Backup failed",
  backup_deleted: "its Backup is being deleted, or was",
  backup_gone: "its Backup has been gone for long while its storage location was synced",
  backup_replaced: "its Backup is gone: one of the same name was made later",
  release_asked: "asked for by the label snapshot-retainer.io/release",
  released: "it was given up before, and must not come back",
  being_deleted: "it is being deleted with the policy Delete",
} as const;
export type GoingReason = keyof typeof GOING_REASONS;

export type ReasonCode = KeptReason | GoingReason;

/** What keeps a snapshot that should go. */
export const HELD_REASONS = {
  waiting_for_budget: "waits: deletionsPerMinute is used up",
  paused: "stays meanwhile: the policy's mode is paused",
  audited: "stays: the policy's mode is audit",
} as const;
export type HeldReason = keyof typeof HELD_REASONS;

/** The sentence of a code. */
export function meaningOf(reason: ReasonCode): string {
  return MEANINGS[reason];
}

const MEANINGS: Readonly<Record<ReasonCode, string>> = { ...KEPT_REASONS, ...GOING_REASONS };
