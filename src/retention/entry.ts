import type { BackupState } from "./backup-state.ts";
import type { Limits } from "./facts.ts";
import { isDeleting } from "./lifecycle.ts";
import type { Course } from "./lifecycle.ts";
import type { GoingReason, KeptReason } from "./reasons.ts";
import type { StorageSnapshot } from "./storage-snapshot.ts";

/** A snapshot with everything that the limits look at. */
export interface Entry {
  readonly snapshot: StorageSnapshot;
  readonly limits: Limits;
  readonly backup: BackupState;
  readonly course: Course;
  /** What protects it from the limits. */
  readonly protection: KeptReason | undefined;
  /** What protects it from everything. */
  readonly shield: KeptReason | undefined;
}

/** What was decided about a snapshot; `detail` continues the reason's sentence with names and numbers. */
export type Decision =
  | { readonly kept: true; readonly reason: KeptReason; readonly detail?: string | undefined }
  | { readonly kept: false; readonly reason: GoingReason; readonly detail?: string | undefined };

/** A snapshot about to be taken, for which a place is kept. */
export interface Place {
  /** Identifies it: see `volumeKeyOf`. */
  readonly volumeKey: string;
  /** The volume as the storage knows it: see `StorageSnapshot`. */
  readonly stored: string;
  readonly limits: Limits;
}

/** Whether a snapshot takes up one of its volume's places for good, or will: what fails or goes anyway does not. */
export function occupies({ snapshot, course, limits, shield }: Entry): boolean {
  switch (course.kind) {
    case "in_flight":
      return limits.number.number > 0;
    case "held":
    case "retained":
      return true;
    case "left":
      return false;
    case "going":
      return shield !== undefined && !isDeleting(snapshot);
  }
}
