import type { Edits } from "./patch.ts";
import type { RoomNeed } from "./room-needed.ts";

/**
 * Why a request got what it got: a stable code for metrics and audit annotations. Each is documented in
 * docs/admission.md.
 */
export const CODES = {
  limit_set: "the limit annotation was added to a Backup",
  limit_overwritten: "a user's number on a Backup was overwritten with the policy's",
  limit_kept: "a user's number on a Backup was let stand by the policy",
  limit_invalid: "a user's number on a Backup was not an integer and was replaced",
  already_set: "nothing had to be changed",
  labelled: "an original got its labels and its inherited document",
  no_room: "an original got its labels; its volume is at its number, and no room was made in time",
  inherited: "a clone got the labels of its original",
  retain_set: "a clone got the labels of its original and the deletion policy Retain",
  retain_refused: "a clone got the labels of its original; its snapshot is to be retained, and cannot be now",
  decided: "a DataUpload got its labels and the retain decision",
  restore_from_retained: "a DataDownload is to be restored from its retained snapshot, by us",
  restore_by_data_movement: "a DataDownload is left to Velero, and says why",
  put_back: "a protected label or annotation was put back",
  forged_removed: "a reserved label or annotation by somebody else was removed",
  allowed_change: "a protected label or annotation was changed by an account that may",
  being_deleted: "the object is being deleted",
  synced: "the Backup was brought by Velero's sync controller, with a phase",
  does_not_move: "the Backup does not move snapshots",
  not_velero_namespace: "the Backup is not in a Velero namespace",
  not_ours: "the object does not belong to a Velero data movement",
  temporary_content: "Velero's temporary content at backup deletion is never touched",
  other_data_mover: "the object belongs to another data mover",
  native_restore: "the object belongs to a native restore",
  no_original: "no original is known for this clone",
  own_account: "the request is our own",
  identity_missing: "the object does not say which volume its snapshot was taken of",
  unreadable: "the request or its object could not be read",
  not_handled: "no rule handles this kind of request",
  lookup_failed: "a look-up of a related object failed or took too long",
  internal_error: "a bug: the rule threw",
  too_large: "the request's body is larger than the limit",
  no_policy: "no valid policy has been loaded yet",
  policy_valid: "the policy ConfigMap is valid",
  policy_invalid: "the policy ConfigMap is not valid and was refused",
  policy_unchecked: "the policy ConfigMap could not be read and was let through",
} as const;
export type Code = keyof typeof CODES;

/** An Event to write on the object, after the answer was given. */
export interface Notice {
  readonly type: "Normal" | "Warning";
  /** CamelCase reason, such as LimitOverwritten. */
  readonly reason: string;
  readonly message: string;
}

/** What a rule decided. */
export interface Outcome {
  readonly code: Code;
  readonly edits?: Edits;
  /** One sentence each, for the person who made the request: what was changed, and where the policy is. */
  readonly warnings?: readonly string[];
  readonly notices?: readonly Notice[];
  /** Before the answer is given, room is to be asked for: the storage may be at its limit. */
  readonly room?: RoomNeed;
  /** More for the audit log, such as the limit and its reason. */
  readonly audit?: Readonly<Record<string, string>>;
}

/** An outcome that changes nothing. */
export function unchanged(code: Code, warning?: string): Outcome {
  return warning === undefined ? { code } : { code, warnings: [warning] };
}
