import type { Inherited } from "../admission/inherited.ts";
import type { StringMap } from "../kube/objects.ts";
import type { Reservation } from "./world.ts";
import type { GoingReason, HeldReason, ReasonCode } from "./reasons.ts";

/** What is to be done with a world, and why. The same world, policy and time give the same plan. */
export interface Plan {
  /** One for each volume that has a snapshot, in the order of their names. */
  readonly volumes: readonly VolumePlan[];
  /** One for each snapshot that is ours to know of, by volume, newest first. */
  readonly snapshots: readonly Verdict[];
  /** What to do now; nothing where the policy's mode is audit. The most urgent first. */
  readonly actions: readonly Action[];
  /** One for each reservation of the world; in the mode audit for those that are over alone. */
  readonly room: readonly RoomAnswer[];
  /** When time alone changes the plan, milliseconds since 1970. */
  readonly recheckAt: number | undefined;
  /** What somebody should hear of; the same at each look while it lasts, so tell each `key` once. */
  readonly notices: readonly PlanNotice[];
  /** Backups (`namespace/name`) that snapshots name and that do not exist: for `nextMemory`. */
  readonly missingBackups: readonly string[];
}

/** The limits of a volume, with their reasons in words. */
export interface VolumePlan {
  /** As in the label velero.io/snapshot-volume-name. */
  readonly volumeName: string;
  /** Identifies the volume: see `volumeKeyOf`. */
  readonly volumeKey: string;
  readonly volume: VolumeRef;
  /** The most that any of its snapshots allows: Backups of different schedules may have different numbers. */
  readonly number: number;
  readonly numberReason: string;
  /** None where the storage's limit is not known to apply. */
  readonly ceiling: number | undefined;
  readonly ceilingReason: string | undefined;
  /** Snapshots on the storage, those being taken and those that go included. */
  readonly taken: number;
  readonly retained: number;
  readonly pinned: number;
  readonly going: number;
}

export interface VolumeRef {
  readonly namespace?: string | undefined;
  readonly name: string;
}

/** How far a snapshot has come. */
export type Stage = "taking" | "copying" | "copied" | "retained" | "failed" | "missing" | "other";

/** What becomes of one snapshot on the storage. */
export interface Verdict {
  /** Name of its VolumeSnapshotContent, or of the VolumeSnapshot while there is none. */
  readonly name: string;
  readonly volumeName: string;
  /** Identifies the volume: see `volumeKeyOf`. */
  readonly volumeKey: string;
  readonly volume: VolumeRef;
  readonly backup: NamespacedName | undefined;
  readonly driver: string | undefined;
  readonly handle: string | undefined;
  /** When the storage took it, as far as known; milliseconds since 1970. */
  readonly takenAt: number | undefined;
  readonly stage: Stage;
  readonly ready: boolean;
  readonly pinned: boolean;
  /** What says which volume it is of: the strongest there is. */
  readonly evidence: Evidence;
  readonly kept: boolean;
  readonly reason: ReasonCode;
  /** The reason in words, with numbers and names. */
  readonly message: string;
  /** Set where it should go and does not now. */
  readonly held?: HeldReason | undefined;
}

/** `data_upload`: the DataUpload of its name, or with its handle. `document`: our signed one on the object. `backup_label`: Velero's label alone. */
export type Evidence = "document" | "data_upload" | "backup_label";

export interface NamespacedName {
  readonly namespace: string;
  readonly name: string;
}

/** An object as it was when the decision was made: uid and resourceVersion are the preconditions of acting on it. */
export interface ObjectRef {
  readonly namespace?: string | undefined;
  readonly name: string;
  readonly uid: string | undefined;
  readonly resourceVersion: string | undefined;
}

interface Decided {
  /** Name of the content: actions of one key come in the order in which they are to be done. */
  readonly key: string;
  readonly message: string;
}

/** Set `spec.deletionPolicy: Retain` while its DataUpload runs, and hold the object: what the webhook does at CREATE. */
export interface Protect extends Decided {
  readonly kind: "protect";
  readonly content: ObjectRef;
  /** All that it is to have; undefined where it has. */
  readonly finalizers: readonly string[] | undefined;
}

/** Give a content the labels and the document that it should have got at CREATE. */
export interface Label extends Decided {
  readonly kind: "label";
  readonly content: ObjectRef;
  readonly labels: StringMap;
  /** To be signed into the annotation `snapshot-retainer.io/inherited`; undefined where that is there. */
  readonly document: Inherited | undefined;
}

/** Give another object than the content what it should have got at CREATE. */
export interface Mend extends Decided {
  readonly kind: "mend";
  readonly objectKind: "Backup" | "DataUpload" | "VolumeSnapshot" | "VolumeSnapshotContent";
  readonly object: ObjectRef;
  readonly labels: StringMap;
  readonly annotations: StringMap;
  /** To be signed into the annotation `snapshot-retainer.io/inherited`; undefined where none is missing. */
  readonly document: Inherited | undefined;
}

/** Write down on the DataUpload what is needed to make the content again. */
export interface Record extends Decided {
  readonly kind: "record";
  readonly dataUpload: ObjectRef;
  /** For `status.retainedSnapshot` where it is served, else the annotation `snapshot-retainer.io/retained-snapshot`. */
  readonly retainedSnapshot: string;
  /** For `status.dataMoverResult`; other keys of it stay. */
  readonly result: StringMap;
}

/** Label a content as retained. */
export interface Mark extends Decided {
  readonly kind: "mark";
  readonly content: ObjectRef;
  readonly labels: StringMap;
}

/** Take our finalizer off a content that was deleted, once nothing is lost with the object. */
export interface LetGo extends Decided {
  readonly kind: "letGo";
  readonly content: ObjectRef;
  /** All that stay. */
  readonly finalizers: readonly string[];
  /** It has a successor: nobody is to make it again. */
  readonly forget: boolean;
}

/** Write the annotation `snapshot-retainer.io/released` on the DataUpload of a content that somebody else is freeing. */
export interface Release extends Decided {
  readonly kind: "release";
  readonly dataUpload: ObjectRef;
  readonly reason: GoingReason;
}

/** Velero's original of a snapshot that goes, left behind by a data mover that died. */
export interface LeftOver {
  readonly content: ObjectRef;
  readonly deleting: boolean;
  /** It lacks the annotation without which the sidecar would never let it go. */
  readonly unmarked: boolean;
  /** Its VolumeSnapshot, as in `Free`. */
  readonly snapshot: Free["snapshot"];
}

/**
 * Free a snapshot on the storage together with its content. Said again at each look until the object is gone; the steps
 * are: `dataUpload` released, original gone, policy Delete, being-deleted annotation, VolumeSnapshot gone, content deleted.
 */
export interface Free extends Decided {
  readonly kind: "free";
  readonly reason: GoingReason;
  readonly content: ObjectRef;
  readonly handle: string | undefined;
  readonly driver: string;
  /** Freeing began earlier: the budget is not asked again. */
  readonly started: boolean;
  /** A request waits for this one. */
  readonly makesRoom: boolean;
  /** The content's deletionTimestamp is set: only waiting is left. */
  readonly deleting: boolean;
  readonly deletionPolicy: string | undefined;
  /** To be set together with the policy Delete: they tell our own hand from others'. */
  readonly labels: StringMap;
  /** To be set together with it: the sidecar's keeps the object, not ours; undefined where that is so. */
  readonly finalizers: readonly string[] | undefined;
  /** It was bound (`volumeSnapshotRef.uid`), so the sidecar wants the annotation `volumesnapshot-being-deleted`. */
  readonly bound: boolean;
  readonly markedBeingDeleted: boolean;
  /** `status.snapshotHandle` is there: without it the sidecar would drop the object and leave the snapshot. */
  readonly handleInStatus: boolean;
  /** Its VolumeSnapshot, while that exists; to be deleted by us from `deleteAt` (milliseconds since 1970) on, if Velero did not. */
  readonly snapshot: (ObjectRef & { readonly deleteAt: number }) | undefined;
  /** Its DataUpload, while that exists and does not say `released` yet. */
  readonly release: ObjectRef | undefined;
  /** To go before anything else: the last of two contents takes the snapshot along. */
  readonly original: LeftOver | undefined;
}

/** Make a content again whose object is gone. Already existing: nothing to do. */
export interface Recreate extends Decided {
  readonly kind: "recreate";
  readonly name: string;
  readonly driver: string;
  readonly handle: string;
  readonly snapshotClass: string | undefined;
  readonly sourceVolumeMode: string | undefined;
  readonly labels: StringMap;
  readonly annotations: StringMap;
  /** To be signed into the annotation `snapshot-retainer.io/inherited`. */
  readonly document: Inherited;
  /** `spec.volumeSnapshotRef`, without a uid. */
  readonly snapshotRef: NamespacedName;
}

export type Action = Protect | Label | Mend | Record | Mark | LetGo | Release | Free | Recreate;

/**
 * `granted` and `none` are to be written onto the Lease; `wait`: something is being freed, or the Backup is not seen to run yet, look again; `consumed`: the
 * snapshot has come and the Lease can go; `lapsed`: it never came.
 */
export interface RoomAnswer {
  readonly reservation: Reservation;
  readonly answer: "granted" | "none" | "wait" | "consumed" | "lapsed";
  /** Why, in words. */
  readonly reason: string;
}

/** Something that somebody should hear of, as an Event on the object. */
export interface PlanNotice {
  /** The same for the same matter. */
  readonly key: string;
  readonly type: "Normal" | "Warning";
  readonly reason: NoticeReason;
  readonly message: string;
  readonly object: NoticeObject;
}

export interface NoticeObject {
  readonly apiVersion: string;
  readonly kind: string;
  readonly namespace?: string | undefined;
  readonly name: string;
  readonly uid: string | undefined;
}

/** The reasons of our Events, each with what it means. */
export const NOTICE_REASONS = {
  PinnedFull: "all that the number of a volume allows are pinned: nothing can go, new ones are still taken",
  NumberUnknown: "facts that choose the number of a volume are not known: the most generous one holds",
  NeverReady: "a retained snapshot has not been ready for long: the storage may not have it",
  NotBelieved: "a content is labelled as retained and nothing proves that it is ours: it is left alone",
  LeakSuspected: "a snapshot seems to be left on the storage by Velero",
  FreeStuck: "a snapshot should go and cannot for long",
} as const;
export type NoticeReason = keyof typeof NOTICE_REASONS;
