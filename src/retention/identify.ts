import { hasOtherMover } from "../admission/retain.ts";
import type { Inherited } from "../admission/inherited.ts";
import { volumeNameOf } from "../admission/original.ts";
import {
  GROUP_HANDLE_ANNOTATION,
  RETAINED_LABEL,
  VELERO_BACKUP_NAME_LABEL,
  VELERO_PVC_UID_LABEL,
  VELERO_RESTORE_NAME_LABEL,
} from "../kube/keys.ts";
import { valueOf } from "../kube/objects.ts";
import type { RetentionPolicy } from "../policy/schema.ts";
import { madeFor } from "../restore/names.ts";
import { successorName } from "./hold.ts";
import type { DataUpload, VolumeSnapshot, VolumeSnapshotContent } from "./objects.ts";
import type { Evidence, NamespacedName, VolumeRef } from "./plan.ts";
import { movedSnapshotOf } from "./record.ts";
import { handleOf } from "./relations.ts";
import type { Relations } from "./relations.ts";

/** Which volume a snapshot is of and which Backup took it, and what says so. */
export interface Identity {
  readonly volumeName: string;
  readonly volume: VolumeRef;
  readonly backup: NamespacedName | undefined;
  readonly evidence: Evidence;
  /** Our document on the object itself. */
  readonly document: Inherited | undefined;
  readonly upload: DataUpload | undefined;
}

/** Whether a content stands for a member of a VolumeGroupSnapshot: the sidecar does not free it by itself. */
export function isGroupMember({ metadata, status }: VolumeSnapshotContent): boolean {
  const inStatus = status?.volumeGroupSnapshotHandle ?? "";
  return inStatus !== "" || valueOf(metadata.annotations, GROUP_HANDLE_ANNOTATION) !== undefined;
}

/**
 * The identity of a content that a data mover reads, or that was retained; undefined for everything else: other tools'
 * contents, those of restores, temporary ones. Labels prove nothing, since others can write them.
 */
export function identifyClone(
  content: VolumeSnapshotContent,
  relations: Relations,
  policy: RetentionPolicy,
): Identity | undefined {
  if (valueOf(content.metadata.labels, VELERO_RESTORE_NAME_LABEL) !== undefined) {
    return undefined;
  }
  // A second content of ours for a retained snapshot, of a restore.
  if (madeFor(content.metadata) !== undefined) {
    return undefined;
  }
  const document = documentOf(content, relations);
  const upload = uploadOf(content, document, relations, policy);
  if (upload !== undefined) {
    return identityOf(upload, relations, policy, document);
  }
  return document === undefined || isCopy(content, document, relations)
    ? undefined
    : byDocument(document, undefined);
}

/** The identity of a snapshot that Velero is taking: by our document, else by Velero's label while that can be true. */
export function identifyOriginal(
  content: VolumeSnapshotContent | undefined,
  snapshot: VolumeSnapshot | undefined,
  relations: Relations,
  policy: RetentionPolicy,
): Identity | undefined {
  const document =
    (content && relations.document(content.metadata)) ?? (snapshot && relations.document(snapshot.metadata));
  if (document !== undefined) {
    return byDocument(document, relations.uploadByAlias(document.alias));
  }
  return snapshot === undefined ? undefined : byBackupLabel(snapshot, relations, policy);
}

/** The identity of the snapshot that a DataUpload moves; undefined where it does not tell the volume. */
export function identityOf(
  upload: DataUpload,
  relations: Relations,
  policy: RetentionPolicy,
  own?: Inherited,
): Identity | undefined {
  const document = own ?? relations.document(upload.metadata);
  if (document !== undefined) {
    return {
      ...byDocument(document, upload),
      document: own,
      evidence: "data_upload",
    };
  }
  const volume = { namespace: upload.spec.sourceNamespace, name: upload.spec.sourcePVC };
  const volumeName = volumeNameOf(policy, volume, valueOf(upload.metadata.labels, VELERO_PVC_UID_LABEL));
  const backup = { namespace: upload.metadata.namespace ?? "", name: backupNameOf(upload) };
  return volumeName === undefined
    ? undefined
    : { volumeName, volume, backup, evidence: "data_upload", document: undefined, upload };
}

function byDocument(document: Inherited, upload: DataUpload | undefined): Identity {
  const { volumeName, volume, backup } = document;
  return { volumeName, volume, backup, evidence: "document", document, upload };
}

/** A document that was copied onto a content of another snapshot says nothing of it. */
function documentOf(content: VolumeSnapshotContent, relations: Relations): Inherited | undefined {
  const document = relations.document(content.metadata);
  const { driver, handle } = document?.snapshot ?? {};
  const agrees =
    (driver === undefined || driver === content.spec.driver) &&
    (handle === undefined || handle === handleOf(content));
  return agrees ? document : undefined;
}

function uploadOf(
  content: VolumeSnapshotContent,
  document: Inherited | undefined,
  relations: Relations,
  { velero }: RetentionPolicy,
): DataUpload | undefined {
  const { name = "" } = content.metadata;
  const reference = content.spec.volumeSnapshotRef;
  const { namespace = "" } = reference;
  if (velero.namespaces.includes(namespace) && (document !== undefined || reference.name === name)) {
    const upload = relations.upload(namespace, name);
    if (upload !== undefined && isOf(upload, content, relations)) {
      return upload;
    }
  }
  return uploadOfOtherMover(content, document, relations);
}

/** Velero's own mover names its clones like the DataUpload; others as they like. */
function uploadOfOtherMover(
  content: VolumeSnapshotContent,
  document: Inherited | undefined,
  relations: Relations,
): DataUpload | undefined {
  const found =
    (document && relations.uploadByAlias(document.alias)) ??
    relations.uploadByHandle(content.spec.driver, handleOf(content) ?? "");
  return found !== undefined && hasOtherMover(found) ? found : undefined;
}

/**
 * Whether nothing that is known of a DataUpload of this name says that it moves another snapshot. Aliases may differ,
 * where a look-up failed when the DataUpload was made; driver and handle are the storage's own word.
 */
function isOf(upload: DataUpload, content: VolumeSnapshotContent, relations: Relations): boolean {
  const { driver = "", handle } = movedSnapshotOf(upload, relations.document(upload.metadata));
  return (
    (driver === "" || driver === content.spec.driver) &&
    (handle === undefined || handle === handleOf(content))
  );
}

/** Somebody's copy of a clone, annotations and all, while the clone or its DataUpload tells which is the real one. */
function isCopy(content: VolumeSnapshotContent, document: Inherited, relations: Relations): boolean {
  const upload = relations.uploadByAlias(document.alias);
  if (upload !== undefined && !hasOtherMover(upload)) {
    return true;
  }
  return (
    !isRetained(content) &&
    relations
      .contentsOf(content.spec.driver, handleOf(content) ?? "")
      .some((other) => other !== content && isRetained(other) && !isSuccessor(content, other))
  );
}

/** Whether it is what we made of the other one, which may have been labelled since. */
function isSuccessor({ metadata }: VolumeSnapshotContent, other: VolumeSnapshotContent): boolean {
  return metadata.name === successorName(other);
}

/** Whether a content carries the label of a retained one: worth something together with an identity only. */
export function isRetained({ metadata }: VolumeSnapshotContent): boolean {
  return valueOf(metadata.labels, RETAINED_LABEL) === "true";
}

/** A tenant can write this label too, but not make a Backup of that name run: at most one snapshot is believed of each. */
function byBackupLabel(
  snapshot: VolumeSnapshot,
  relations: Relations,
  policy: RetentionPolicy,
): Identity | undefined {
  const label = valueOf(snapshot.metadata.labels, VELERO_BACKUP_NAME_LABEL);
  const claimName = snapshot.spec.source.persistentVolumeClaimName;
  const { namespace = "" } = snapshot.metadata;
  if (label === undefined || claimName === undefined) {
    return undefined;
  }
  const running = policy.velero.namespaces.find((velero) =>
    isTakingSnapshots(relations.backup({ namespace: velero, name: label })),
  );
  const volume = { namespace, name: claimName };
  const volumeName = volumeNameOf(policy, volume, relations.claim(namespace, claimName)?.metadata.uid);
  if (running === undefined || volumeName === undefined) {
    return undefined;
  }
  const backup = { namespace: running, name: label };
  return { volumeName, volume, backup, evidence: "backup_label", document: undefined, upload: undefined };
}

/** Whether a Backup is at the stage in which Velero takes snapshots to be moved. */
export function isTakingSnapshots(backup: ReturnType<Relations["backup"]>): boolean {
  return backup?.status?.phase === "InProgress" && backup.spec?.snapshotMoveData === true;
}

function backupNameOf({ metadata }: DataUpload): string {
  const owner = metadata.ownerReferences?.find(({ kind }) => kind === "Backup");
  return owner?.name ?? valueOf(metadata.labels, VELERO_BACKUP_NAME_LABEL) ?? "";
}
