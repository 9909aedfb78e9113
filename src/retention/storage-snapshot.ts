import { RELEASED_LABEL, RETAIN_ANNOTATION } from "../kube/keys.ts";
import { valueOf } from "../kube/objects.ts";
import { handleKey } from "../kube/originals.ts";
import type { RetentionPolicy } from "../policy/schema.ts";
import { isBeingDeleted } from "./hold.ts";
import { identifyClone, identifyOriginal, identityOf, isGroupMember, isRetained } from "./identify.ts";
import type { Identity } from "./identify.ts";
import { contentsWithLeftOver } from "./left-over.ts";
import type { DataUpload, VolumeSnapshot, VolumeSnapshotContent } from "./objects.ts";
import type { Recall } from "./recall.ts";
import { movedSnapshotOf, recordOf, releasedAs } from "./record.ts";
import { handleOf } from "./relations.ts";
import type { Relations } from "./relations.ts";
import { volumeKeyOf } from "./volume-key.ts";
import { driverOf, timesOf, volumeHandleOf } from "./snapshot-facts.ts";

/** One snapshot on the storage, with all objects that stand for it. */
export interface StorageSnapshot {
  /** Identifies it: driver and handle, or its only object while the handle is not known. */
  readonly key: string;
  /** Of its content, else of its VolumeSnapshot. */
  readonly name: string;
  readonly identity: Identity;
  readonly driver: string | undefined;
  readonly handle: string | undefined;
  /** Of the volume that it was taken of, as the storage knows it. */
  readonly volumeHandle: string | undefined;
  /** The content that is ours to retain or to free. */
  readonly content: VolumeSnapshotContent | undefined;
  /** Velero's original, while it exists; not one that stands in for the content. */
  readonly original: VolumeSnapshotContent | undefined;
  readonly originalSnapshot: VolumeSnapshot | undefined;
  /** The content as it was, where it disappeared although it was retained. */
  readonly vanished: VolumeSnapshotContent | undefined;
  readonly groupMember: boolean;
  /** Identifies the volume that it was taken of: see `volumeKeyOf`. */
  readonly volumeKey: string;
  /** Identifies the volume as the storage knows it; by its name where that is not known. */
  readonly stored: string;
  /** Labelled as retained, and its DataUpload, if it is still there, agrees. */
  readonly retained: boolean;
  /** For ordering: nanoseconds since 1970 as the storage says, else by the object's creation. */
  readonly takenNs: number;
  /** When the earliest trace of it was made, milliseconds since 1970. */
  readonly bornAt: number | undefined;
}

/** A snapshot, as far as one of its objects tells. */
export type Draft = Pick<StorageSnapshot, "key" | "identity"> & Partial<StorageSnapshot>;

/** The snapshots on the storage that are ours to know of, newest first: of these contents, and those without any. */
export function storageSnapshots(
  relations: Relations,
  policy: RetentionPolicy,
  contents: readonly VolumeSnapshotContent[],
  recall: Pick<Recall, "share">,
): StorageSnapshot[] {
  const drafts = new Map<string, Draft>();
  for (const draft of present(relations, policy, contents)) {
    const before = drafts.get(draft.key);
    drafts.set(draft.key, before === undefined ? draft : merge(before, draft));
  }
  // Where a DataUpload has a snapshot on record, that one speaks; its content as it was knows the labels, pins among them.
  for (const draft of [
    ...byDraftName(recorded(relations, policy)),
    ...byDraftName(vanished(relations, policy)),
  ]) {
    const before = drafts.get(draft.key);
    if (before === undefined) drafts.set(draft.key, draft);
    else if (before.name === draft.name) drafts.set(draft.key, { ...before, vanished: draft.vanished });
  }
  return believedOnce(
    [...drafts.values()].map((draft) => complete(draft, relations, recall)).toSorted(newestFirst),
  );
}

/** Newest first: by the storage's time, then by name, so that the order of the input does not matter. */
export function newestFirst(a: StorageSnapshot, b: StorageSnapshot): number {
  return b.takenNs - a.takenNs || compare(b.key, a.key);
}

function compare(a: string, b: string): number {
  if (a === b) {
    return 0;
  }
  return a < b ? -1 : 1;
}

function* present(
  relations: Relations,
  policy: RetentionPolicy,
  contents: readonly VolumeSnapshotContent[],
): Generator<Draft> {
  for (const content of contents) {
    const draft = draftOf(content, relations, policy);
    if (draft !== undefined) yield draft;
  }
  for (const snapshot of relations.world.snapshots) {
    const draft = draftOfSnapshot(snapshot, relations, policy);
    if (draft !== undefined) yield draft;
  }
}

function draftOf(
  content: VolumeSnapshotContent,
  relations: Relations,
  policy: RetentionPolicy,
): Draft | undefined {
  const handle = handleOf(content);
  const key =
    handle === undefined ? `content\n${content.metadata.name ?? ""}` : handleKey(content.spec.driver, handle);
  const common = { key, driver: content.spec.driver, handle, groupMember: isGroupMember(content) };
  if (content.spec.source.volumeHandle !== undefined) {
    const { namespace = "", name = "", uid } = content.spec.volumeSnapshotRef;
    const found = relations.snapshot(namespace, name);
    const snapshot = found?.metadata.uid === uid ? found : undefined;
    const identity = identifyOriginal(content, snapshot, relations, policy);
    return identity && { ...common, identity, original: content, originalSnapshot: snapshot };
  }
  const identity = identifyClone(content, relations, policy);
  return identity && { ...common, identity, content };
}

/** A VolumeSnapshot of Velero's that has no content yet. */
function draftOfSnapshot(
  snapshot: VolumeSnapshot,
  relations: Relations,
  policy: RetentionPolicy,
): Draft | undefined {
  const { namespace = "", name = "", uid = "" } = snapshot.metadata;
  if (snapshot.spec.source.persistentVolumeClaimName === undefined) {
    return undefined;
  }
  const bound = snapshot.status?.boundVolumeSnapshotContentName;
  if ([bound, `snapcontent-${uid}`].some((content) => relations.content(content ?? "") !== undefined)) {
    return undefined;
  }
  if (isCloned(namespace, name, relations)) {
    return undefined;
  }
  const identity = identifyOriginal(undefined, snapshot, relations, policy);
  return identity && { key: `snapshot\n${namespace}/${name}`, identity, originalSnapshot: snapshot };
}

/**
 * Whether a clone stands for this VolumeSnapshot's storage already. Its own content goes a moment before it, and contents
 * are watched apart from VolumeSnapshots: counted twice, the snapshot would drive out an older one.
 */
function isCloned(namespace: string, name: string, relations: Relations): boolean {
  return relations.uploadsOf(namespace, name).some((upload) => {
    const { driver, handle } = movedSnapshotOf(upload, relations.document(upload.metadata));
    const clones = driver === undefined || handle === undefined ? [] : relations.contentsOf(driver, handle);
    return clones.length > 0 || relations.content(upload.metadata.name ?? "") !== undefined;
  });
}

/** Snapshots whose content is gone, though its DataUpload has it on record and never released it. */
function* recorded(relations: Relations, policy: RetentionPolicy): Generator<Draft> {
  for (const upload of relations.world.dataUploads) {
    const record = hasObject(upload, relations) ? undefined : recordOf(upload);
    const identity = record && identityOf(upload, relations, policy);
    if (record !== undefined && identity !== undefined && isMissing(record, relations)) {
      const { driver, handle, name } = record;
      yield { key: handleKey(driver, handle), driver, handle, name, identity };
    }
  }
}

function hasObject(upload: DataUpload, relations: Relations): boolean {
  return relations.content(upload.status?.dataMoverResult?.["retainedSnapshot"] ?? "") !== undefined;
}

/** Snapshots whose content was seen to disappear, and that were not given up. */
function* vanished(relations: Relations, policy: RetentionPolicy): Generator<Draft> {
  for (const content of relations.world.vanished) {
    const { driver } = content.spec;
    const handle = handleOf(content);
    const identity = identifyClone(content, relations, policy);
    const name = content.metadata.name ?? "";
    if (handle === undefined || identity === undefined || wasReleased(content, identity.upload)) {
      continue;
    }
    if (isMissing({ driver, handle, name }, relations)) {
      yield { key: handleKey(driver, handle), driver, handle, name, identity, vanished: content };
    }
  }
}

function wasReleased({ metadata }: VolumeSnapshotContent, upload: DataUpload | undefined): boolean {
  return valueOf(metadata.labels, RELEASED_LABEL) !== undefined || releasedAs(upload) !== undefined;
}

function isMissing(
  { driver, handle, name }: { readonly driver: string; readonly handle: string; readonly name: string },
  relations: Relations,
): boolean {
  return relations.content(name) === undefined && relations.contentsOf(driver, handle).length === 0;
}

// An original and its clone, or two clones, for the same handle. What the clone's document says is the later word.
function merge(a: Draft, b: Draft): Draft {
  const content = preferred(a.content, b.content);
  const first = content === undefined || content === a.content ? a : b;
  const second = first === a ? b : a;
  return {
    ...second,
    ...first,
    content,
    original: byObjectName(a.original, b.original),
    originalSnapshot: first.originalSnapshot ?? second.originalSnapshot,
    groupMember: first.groupMember === true || second.groupMember === true,
  };
}

/**
 * Of two contents for one handle: the one that was not deleted, else the one that is labelled as retained, else by name, so
 * that the choice is the same each time.
 */
function preferred(
  a: VolumeSnapshotContent | undefined,
  b: VolumeSnapshotContent | undefined,
): VolumeSnapshotContent | undefined {
  if (a === undefined || b === undefined) {
    return a ?? b;
  }
  if (isBeingDeleted(a) !== isBeingDeleted(b)) {
    return isBeingDeleted(a) ? b : a;
  }
  return isRetained(a) === isRetained(b) ? byObjectName(a, b) : [a, b].find(isRetained);
}

function byObjectName<T extends VolumeSnapshotContent>(a: T | undefined, b: T | undefined): T | undefined {
  if (a === undefined || b === undefined) {
    return a ?? b;
  }
  return (a.metadata.name ?? "") <= (b.metadata.name ?? "") ? a : b;
}

function byDraftName(drafts: Iterable<Draft>): Draft[] {
  return [...drafts].toSorted((a, b) => compare(a.name ?? "", b.name ?? ""));
}

function complete(draft: Draft, relations: Relations, recall: Pick<Recall, "share">): StorageSnapshot {
  const { key, identity, originalSnapshot } = draft;
  const { content, original } = contentsWithLeftOver(draft, relations);
  const driver = driverOf(draft, relations);
  const volumeHandle = volumeHandleOf(draft, relations);
  const volumeKey = recall.share(volumeKeyOf(identity));
  return {
    key,
    identity,
    name: draft.name ?? (content ?? original ?? originalSnapshot)?.metadata.name ?? "",
    driver,
    handle: draft.handle,
    volumeHandle,
    volumeKey,
    stored: recall.share(storedKeyOf(driver, volumeHandle, volumeKey)),
    content,
    original,
    originalSnapshot,
    vanished: draft.vanished,
    groupMember: draft.groupMember ?? false,
    retained: content !== undefined && isRetained(content) && agrees(identity.upload),
    ...timesOf(draft),
  };
}

/** Identifies a volume as the storage knows it; by its name where that is not known. */
export function storedKeyOf(
  driver: string | undefined,
  volumeHandle: string | undefined,
  volumeKey: string,
): string {
  return volumeHandle === undefined
    ? `name\n${driver ?? ""}\n${volumeKey}`
    : `${driver ?? ""}\n${volumeHandle}`;
}

function agrees(upload: DataUpload | undefined): boolean {
  return upload === undefined || upload.status?.phase === "Completed";
}

/** Of the snapshots that only Velero's label claims, one for each volume and Backup: a tenant can write that label too. */
function believedOnce(snapshots: readonly StorageSnapshot[]): StorageSnapshot[] {
  const seen = new Set<string>();
  return snapshots.filter(({ identity, volumeKey }) => {
    if (identity.evidence !== "backup_label") {
      return true;
    }
    const { backup } = identity;
    const key = `${backup?.namespace ?? ""}/${backup?.name ?? ""}\n${volumeKey}`;
    const first = !seen.has(key);
    seen.add(key);
    return first;
  });
}

/** Whether a DataUpload's snapshot is to be retained, as was decided when it was made; undefined where nobody decided. */
export function decisionOf(upload: DataUpload | undefined): boolean | undefined {
  const text = valueOf(upload?.metadata.annotations, RETAIN_ANNOTATION);
  return text === undefined ? undefined : text === "true";
}
