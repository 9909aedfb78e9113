import { millisecondsOf } from "../policy/duration.ts";
import { timeOf } from "./time.ts";
import type { Backup, BackupStorageLocation } from "./objects.ts";
import type { NamespacedName } from "./plan.ts";
import type { Relations } from "./relations.ts";
import { backupKey } from "./world.ts";

/** What has become of the Backup that a snapshot belongs to. */
export type BackupState =
  /** The snapshot does not say which Backup took it. */
  | { readonly kind: "unknown" }
  | { readonly kind: "in_progress" | "completed" | "failed"; readonly endedAt: number | undefined }
  /** Its objects in storage may be there still; nothing is proven. */
  | { readonly kind: "partially_failed"; readonly endedAt: number | undefined }
  | { readonly kind: "deleted" | "replaced" | "gone" }
  | { readonly kind: "missing"; readonly recheckAt: number | undefined };

/** Phases that a Backup does not leave, but for being deleted (velero pkg/apis/velero/v1/backup_types.go). */
const TERMINAL: Readonly<Record<string, "completed" | "partially_failed" | "failed">> = {
  Completed: "completed",
  PartiallyFailed: "partially_failed",
  Failed: "failed",
  FailedValidation: "failed",
};

const MINUTE = 60_000;
/** Velero's own default of `spec.backupSyncPeriod`. */
const SYNC_PERIOD = MINUTE;
/** Longer than it takes to move a Backup aside by hand and put it back. */
const SHORTEST_ABSENCE = 10 * MINUTE;
/** Clocks of Velero and the API server may differ: a Backup that started this much later is another one. */
const CLOCK_SKEW = 10 * MINUTE;

/**
 * The state of a snapshot's Backup. `bornAt` is when the snapshot or its content was made, whichever is known to be
 * earlier: a deletion, or a Backup of the same name, that came before it is not about it.
 */
export function backupStateOf(
  relations: Relations,
  reference: NamespacedName | undefined,
  bornAt: number | undefined,
  now: number,
): BackupState {
  if (reference === undefined || reference.name === "") {
    return { kind: "unknown" };
  }
  const backup = relations.backup(reference);
  if (backup === undefined) {
    return wasDeleted(relations, reference, bornAt)
      ? { kind: "deleted" }
      : absenceOf(relations, reference, now);
  }
  if (isReplaced(backup, bornAt)) {
    return { kind: "replaced" };
  }
  if (relations.isBeingDeleted(reference)) {
    return { kind: "deleted" };
  }
  return phaseOf(backup);
}

function phaseOf({ status }: Backup): BackupState {
  const phase = status?.phase ?? "";
  return phase === "Deleting"
    ? { kind: "deleted" }
    : { kind: TERMINAL[phase] ?? "in_progress", endedAt: timeOf(status?.completionTimestamp) };
}

function wasDeleted(relations: Relations, reference: NamespacedName, bornAt: number | undefined): boolean {
  const at = relations.deletionOf(reference);
  return relations.isBeingDeleted(reference) || (at !== undefined && bornAt !== undefined && bornAt <= at);
}

// A Backup that was synced back is created later than its snapshots and started earlier.
function isReplaced({ metadata, status }: Backup, bornAt: number | undefined): boolean {
  const created = timeOf(metadata.creationTimestamp);
  if (bornAt === undefined || created === undefined || created <= bornAt) {
    return false;
  }
  const started = timeOf(status?.startTimestamp);
  return started !== undefined && started > bornAt + CLOCK_SKEW;
}

/**
 * Whether an absence is for good. The Backup object goes and comes back for many reasons: by hand, with its Schedule, by
 * a sync. It is gone when every storage location that it could come back from has been read since, twice.
 */
function absenceOf(relations: Relations, reference: NamespacedName, now: number): BackupState {
  const since = relations.world.missingSince.get(backupKey(reference));
  if (since === undefined) {
    return { kind: "missing", recheckAt: undefined };
  }
  const locations = relations.storageLocations(reference.namespace);
  const period = Math.max(SYNC_PERIOD, ...locations.map(syncPeriodOf));
  const longEnough = since + Math.max(SHORTEST_ABSENCE, 3 * period);
  if (now < longEnough) {
    return { kind: "missing", recheckAt: longEnough };
  }
  const synced =
    locations.length > 0 && locations.every((location) => wasSynced(location, since + 2 * period));
  return synced ? { kind: "gone" } : { kind: "missing", recheckAt: now + period };
}

function syncPeriodOf({ spec }: BackupStorageLocation): number {
  return millisecondsOf(spec?.backupSyncPeriod ?? "");
}

function wasSynced({ status }: BackupStorageLocation, after: number): boolean {
  const at = timeOf(status?.lastSyncedTime);
  return status?.phase === "Available" && at !== undefined && at >= after;
}
