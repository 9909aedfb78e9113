/** Labels and annotations, in one place: what each promises stands in docs/architecture.md. */

/** Identifies one storage snapshot across all of its clones; random and unique (Velero design, PR 7002). */
export const ALIAS_LABEL = "velero.io/snapshot-alias-name";
/** Identifies the volume that a snapshot was taken of (Velero design, PR 7002). */
export const VOLUME_NAME_LABEL = "velero.io/snapshot-volume-name";
/**
 * Our own name of the Backup on a VolumeSnapshotContent. Not `velero.io/backup-name`: Velero 1.16 and 1.17
 * delete contents by that label when a synced Backup is orphaned.
 */
export const BACKUP_NAME_LABEL = "snapshot-retainer.io/backup-name";
/** Set by the controller on a content that outlives its data movement. */
export const RETAINED_LABEL = "snapshot-retainer.io/retained";

/** The limit of a Backup (Velero design, PR 7002). */
export const LIMIT_ANNOTATION = "backup.velero.io/data-mover-snapshot-to-retain";
/** On a Backup: the number that its user asked for, where the policy let it stand. */
export const REQUESTED_LIMIT_ANNOTATION = "snapshot-retainer.io/requested-limit";
/** On an original, its clones and its DataUpload: what a clone inherits, signed. */
export const INHERITED_ANNOTATION = "snapshot-retainer.io/inherited";
/** On a DataUpload: "true" when its snapshot is to be retained. */
export const RETAIN_ANNOTATION = "snapshot-retainer.io/retain";
/** On a DataUpload: the volume's limit at that time. */
export const VOLUME_LIMIT_ANNOTATION = "snapshot-retainer.io/limit";
/** On a DataUpload: where that limit came from, in words. */
export const LIMIT_REASON_ANNOTATION = "snapshot-retainer.io/limit-reason";

/** On a retained VolumeSnapshotContent: with any value but "false" its snapshot is freed, unless something protects it. */
export const RELEASE_LABEL = "snapshot-retainer.io/release";
/** On a VolumeSnapshotContent: with any value but "false" it is never freed. Anyone who may label contents may pin. */
export const PIN_LABEL = "snapshot-retainer.io/pin";
/** On a DataUpload: why its snapshot was freed (a reason code). What has it is never made again. */
export const RELEASED_ANNOTATION = "snapshot-retainer.io/released";
/** On a VolumeSnapshotContent, set together with the policy Delete: it was we who set that, and why (a reason code). */
export const RELEASED_LABEL = "snapshot-retainer.io/released";
/**
 * A finalizer on the content that a data mover works from, there from its creation on where it is to be retained: whoever
 * deletes the object, the snapshot is not forgotten before a controller has looked. Never on an original: Velero waits for
 * those to disappear.
 */
export const HOLD_FINALIZER = "snapshot-retainer.io/hold";
/** On a DataUpload: name of the retained content, where the served CRD has no `status.retainedSnapshot`. */
export const RETAINED_SNAPSHOT_ANNOTATION = "snapshot-retainer.io/retained-snapshot";

/** On a DataUpload: when its snapshot was released, RFC 3339. */
export const RELEASED_AT_ANNOTATION = "snapshot-retainer.io/released-at";

/** Our own name in `DataDownload.spec.datamover`: Velero's node-agent leaves other names than its own alone. */
export const OUR_DATA_MOVER = "snapshot-retainer";
/** On a DataDownload: where its volume is restored from, and why, in words. */
export const RESTORE_DECISION_ANNOTATION = "snapshot-retainer.io/restore-decision";
/** On a DataDownload that is ours: the retained snapshot to restore from, as JSON (see src/restore/source.ts). */
export const RESTORE_SOURCE_ANNOTATION = "snapshot-retainer.io/restore-source";
/** On a DataDownload: the PersistentVolume that its claim is being bound to. With it there is no way back to Velero. */
export const RESTORE_VOLUME_ANNOTATION = "snapshot-retainer.io/restore-volume";
/**
 * On a retained content: UID of the last DataDownload that began to restore from it. Freeing asks for the version of the
 * content that it decided about, so this write comes before the restore, or the freeing does.
 */
export const RESTORED_BY_LABEL = "snapshot-retainer.io/restored-by";
/** On everything that a restore makes, and on its volume while it is being bound: the DataDownload's UID. */
export const DATA_DOWNLOAD_LABEL = "snapshot-retainer.io/data-download";
/** Beside that label: the DataDownload, as `namespace/name`. */
export const DATA_DOWNLOAD_ANNOTATION = "snapshot-retainer.io/data-download";
/** On a restored volume while it is being bound: the reclaim policy that it gets back. */
export const RECLAIM_POLICY_ANNOTATION = "snapshot-retainer.io/reclaim-policy";

/** Labels that only Velero's accounts and our own may set, change or remove on a snapshot's objects. */
export const RESERVED_LABELS = [
  ALIAS_LABEL,
  VOLUME_NAME_LABEL,
  BACKUP_NAME_LABEL,
  RETAINED_LABEL,
  RELEASED_LABEL,
] as const;

/** Annotations that only Velero's accounts and our own may set, change or remove on a snapshot's objects. */
export const RESERVED_ANNOTATIONS = [
  INHERITED_ANNOTATION,
  RETAIN_ANNOTATION,
  VOLUME_LIMIT_ANNOTATION,
  LIMIT_REASON_ANNOTATION,
  RELEASED_ANNOTATION,
  RETAINED_SNAPSHOT_ANNOTATION,
] as const;

/** Annotations of a Backup that only Velero's accounts and our own may change or remove. */
export const RESERVED_BACKUP_ANNOTATIONS = [LIMIT_ANNOTATION, REQUESTED_LIMIT_ANNOTATION] as const;

/** Velero's labels that we read (pkg/apis/velero/v1/labels_annotations.go). */
export const VELERO_BACKUP_NAME_LABEL = "velero.io/backup-name";
export const VELERO_RESTORE_NAME_LABEL = "velero.io/restore-name";
export const VELERO_RESTORE_UID_LABEL = "velero.io/restore-uid";
export const VELERO_SCHEDULE_NAME_LABEL = "velero.io/schedule-name";
/** On the ConfigMap in which a restore finds what a backup says of a volume's data: `DataUpload`. */
export const VELERO_RESOURCE_USAGE_LABEL = "velero.io/resource-usage";
/** On the same: `namespace.name` of the backed-up PVC, as a label value. */
export const VELERO_PVC_NAMESPACE_NAME_LABEL = "velero.io/pvc-namespace-name";

/** On the content of a VolumeGroupSnapshot's member, and copied onto its clone: the sidecar deletes only the group. */
export const GROUP_HANDLE_ANNOTATION = "groupsnapshot.storage.k8s.io/volumeGroupSnapshotHandle";

/** On a Lease of our own namespace by which the webhook asks the controller for room; its name says which volume. */
export const ROOM_LABEL = "snapshot-retainer.io/room";
/** On such a Lease: `namespace/name` of the PVC. */
export const ROOM_VOLUME_ANNOTATION = "snapshot-retainer.io/volume";
/** On such a Lease: the volume's name as in the label velero.io/snapshot-volume-name. */
export const ROOM_VOLUME_NAME_ANNOTATION = "snapshot-retainer.io/volume-name";
/** On such a Lease: `namespace/name` of the Backup that takes the snapshot. */
export const ROOM_BACKUP_ANNOTATION = "snapshot-retainer.io/backup";
/** On such a Lease: the controller's answer, `<holderIdentity> granted` or `<holderIdentity> none: <reason>`. */
export const ROOM_ANSWER_ANNOTATION = "snapshot-retainer.io/room-answer";

/** Velero leaves out of any backup what carries this with "true". */
export const EXCLUDE_FROM_BACKUP_LABEL = "velero.io/exclude-from-backup";
export const VELERO_PVC_UID_LABEL = "velero.io/pvc-uid";

/** The sidecar frees a content that was bound only with this annotation (external-snapshotter, shouldDelete). */
export const BEING_DELETED_ANNOTATION = "snapshot.storage.kubernetes.io/volumesnapshot-being-deleted";
/** The Secret that the CSI driver needs to free a snapshot. */
export const DELETION_SECRET_NAME_ANNOTATION = "snapshot.storage.kubernetes.io/deletion-secret-name";
export const DELETION_SECRET_NAMESPACE_ANNOTATION =
  "snapshot.storage.kubernetes.io/deletion-secret-namespace";
/**
 * The snapshot controller puts it on a content that is bound, and the sidecar takes it off when it has freed the snapshot.
 * A content without it that is deleted is gone before the sidecar looks, and its snapshot stays on the storage.
 */
export const CONTENT_FINALIZER = "snapshot.storage.kubernetes.io/volumesnapshotcontent-bound-protection";

/** The node that the scheduler chose for a claim whose class waits for its first consumer. */
export const SELECTED_NODE_ANNOTATION = "volume.kubernetes.io/selected-node";
