import type { Inherited } from "../admission/inherited.ts";
import { deletionSecretOf, secretAnnotations } from "../kube/deletion-secret.ts";
import { RELEASED_ANNOTATION, RETAINED_SNAPSHOT_ANNOTATION } from "../kube/keys.ts";
import { valueOf } from "../kube/objects.ts";
import type { StringMap } from "../kube/objects.ts";
import type { DataUpload, VolumeSnapshotContent } from "./objects.ts";

/** What a DataUpload remembers of its retained snapshot: enough to make the content again. */
export interface SnapshotRecord {
  readonly name: string;
  readonly driver: string;
  readonly handle: string;
  readonly snapshotClass: string | undefined;
  /** The Secret's annotations. */
  readonly annotations: StringMap;
}

/** What is on record, unless it was released; undefined for nothing, or too little. */
export function recordOf(upload: DataUpload): SnapshotRecord | undefined {
  const result = upload.status?.dataMoverResult;
  const { driver, snapshotHandle: handle, retainedSnapshot: name, snapshotClass } = result ?? {};
  if (
    driver === undefined ||
    handle === undefined ||
    name === undefined ||
    releasedAs(upload) !== undefined
  ) {
    return undefined;
  }
  return { name, driver, handle, snapshotClass, annotations: secretAnnotations(result ?? {}) };
}

/** The snapshot that a DataUpload moves, as the storage knows it; each part as far as it is known. */
export function movedSnapshotOf(
  upload: DataUpload,
  document: Inherited | undefined,
): { readonly driver: string | undefined; readonly handle: string | undefined } {
  const { driver, snapshotHandle } = upload.status?.dataMoverResult ?? {};
  return {
    driver: upload.spec.csiSnapshot?.driver ?? driver ?? document?.snapshot?.driver,
    handle: snapshotHandle ?? document?.snapshot?.handle,
  };
}

/** Why the snapshot of a DataUpload was released; undefined while it was not. */
export function releasedAs(upload: DataUpload | undefined): string | undefined {
  return valueOf(upload?.metadata.annotations, RELEASED_ANNOTATION);
}

/** What is known of a snapshot beside its content. */
export interface RecordFacts {
  readonly alias: string;
  readonly volumeName: string;
  readonly volumeHandle: string | undefined;
  readonly handle: string | undefined;
}

/** What `status.dataMoverResult` should hold of a content; only what is known. */
export function resultOf(content: VolumeSnapshotContent, facts: RecordFacts): StringMap {
  return given({
    ...identityIn(content, facts),
    snapshotClass: content.spec.volumeSnapshotClassName ?? undefined,
    ...deletionSecretOf(content.metadata.annotations),
  });
}

/** Whether a DataUpload has on record what identifies the snapshot. The rest was written together with that. */
export function isRecorded(upload: DataUpload, content: VolumeSnapshotContent, facts: RecordFacts): boolean {
  const { retainedSnapshot, dataMoverResult } = upload.status ?? {};
  const { name } = content.metadata;
  const named =
    retainedSnapshot === name || valueOf(upload.metadata.annotations, RETAINED_SNAPSHOT_ANNOTATION) === name;
  if (!named || dataMoverResult === null || dataMoverResult === undefined) {
    return false;
  }
  const wanted = identityIn(content, facts);
  return IDENTITY.every((key) => wanted[key] === undefined || dataMoverResult[key] === wanted[key]);
}

const IDENTITY = [
  "retainedSnapshot",
  "snapshotHandle",
  "driver",
  "volumeHandle",
  "alias",
  "volumeName",
] as const;

function identityIn(
  { metadata, spec }: VolumeSnapshotContent,
  { alias, volumeName, volumeHandle, handle }: RecordFacts,
): Record<(typeof IDENTITY)[number], string | undefined> {
  return {
    retainedSnapshot: metadata.name,
    snapshotHandle: handle,
    driver: spec.driver,
    volumeHandle,
    alias,
    volumeName,
  };
}

function given(map: Readonly<Record<string, string | undefined>>): StringMap {
  return Object.fromEntries(
    Object.entries(map).filter((entry): entry is [string, string] => entry[1] !== undefined),
  );
}
