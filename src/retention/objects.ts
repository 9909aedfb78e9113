import * as z from "zod";
import {
  BEING_DELETED_ANNOTATION,
  DATA_DOWNLOAD_ANNOTATION,
  DELETION_SECRET_NAME_ANNOTATION,
  DELETION_SECRET_NAMESPACE_ANNOTATION,
  GROUP_HANDLE_ANNOTATION,
  INHERITED_ANNOTATION,
  LIMIT_ANNOTATION,
  RELEASED_ANNOTATION,
  REQUESTED_LIMIT_ANNOTATION,
  RESTORE_DECISION_ANNOTATION,
  RESTORE_SOURCE_ANNOTATION,
  RETAIN_ANNOTATION,
  RETAINED_SNAPSHOT_ANNOTATION,
} from "../kube/keys.ts";
import * as views from "../kube/objects.ts";
import type { Metadata } from "../kube/objects.ts";
import type { ObjectRef } from "./plan.ts";

/** The annotations that deciding reads: a cache for it must keep these, and may drop all others. */
export const READ_ANNOTATIONS: readonly string[] = [
  BEING_DELETED_ANNOTATION,
  DATA_DOWNLOAD_ANNOTATION,
  DELETION_SECRET_NAME_ANNOTATION,
  DELETION_SECRET_NAMESPACE_ANNOTATION,
  GROUP_HANDLE_ANNOTATION,
  INHERITED_ANNOTATION,
  LIMIT_ANNOTATION,
  RELEASED_ANNOTATION,
  REQUESTED_LIMIT_ANNOTATION,
  RESTORE_DECISION_ANNOTATION,
  RESTORE_SOURCE_ANNOTATION,
  RETAIN_ANNOTATION,
  RETAINED_SNAPSHOT_ANNOTATION,
];

// The retention controller's views: those of admission, and what only retention reads. Kubernetes' names.

/** snapshot.storage.k8s.io/v1 VolumeSnapshotContent. */
export const VolumeSnapshotContent = views.VolumeSnapshotContent.extend({
  spec: views.VolumeSnapshotContent.shape.spec.extend({
    volumeSnapshotClassName: z.string().nullish(),
    sourceVolumeMode: z.string().nullish(),
  }),
  status: z
    .object({
      snapshotHandle: z.string().nullish(),
      /** Nanoseconds since 1970, as the storage says; JSON numbers keep it to about 0.2 microseconds. */
      creationTime: z.number().nullish(),
      readyToUse: z.boolean().nullish(),
      volumeGroupSnapshotHandle: z.string().nullish(),
      error: z.object({ message: z.string().nullish() }).nullish(),
    })
    .nullish(),
});
export type VolumeSnapshotContent = z.infer<typeof VolumeSnapshotContent>;

/** snapshot.storage.k8s.io/v1 VolumeSnapshot: nothing more than admission reads. */
export const VolumeSnapshot = views.VolumeSnapshot;
export type VolumeSnapshot = views.VolumeSnapshot;

/** velero.io/v2alpha1 DataUpload. */
export const DataUpload = views.DataUpload.extend({
  spec: views.DataUpload.shape.spec.extend({
    csiSnapshot: z
      .object({
        volumeSnapshot: z.string(),
        storageClass: z.string().optional(),
        snapshotClass: z.string().optional(),
        driver: z.string().optional(),
      })
      .nullish(),
  }),
  status: z
    .object({
      phase: z.string().optional(),
      completionTimestamp: z.string().nullish(),
      /** Only where the served CRD has it (Velero's design, PR 7002). */
      retainedSnapshot: z.string().nullish(),
      dataMoverResult: z.record(z.string(), z.string()).nullish(),
    })
    .nullish(),
});
export type DataUpload = z.infer<typeof DataUpload>;

/** velero.io/v1 Backup. */
export const Backup = views.Backup.extend({
  status: z
    .object({
      phase: z.string().optional(),
      startTimestamp: z.string().nullish(),
      completionTimestamp: z.string().nullish(),
    })
    .nullish(),
});
export type Backup = z.infer<typeof Backup>;

/** velero.io/v1 DeleteBackupRequest. */
export const DeleteBackupRequest = z.object({
  metadata: views.Metadata,
  spec: z.object({ backupName: z.string() }),
  status: z.object({ phase: z.string().nullish() }).nullish(),
});
export type DeleteBackupRequest = z.infer<typeof DeleteBackupRequest>;

/** velero.io/v1 BackupStorageLocation. */
export const BackupStorageLocation = z.object({
  metadata: views.Metadata,
  spec: z.object({ backupSyncPeriod: z.string().nullish() }).nullish(),
  status: z.object({ phase: z.string().nullish(), lastSyncedTime: z.string().nullish() }).nullish(),
});
export type BackupStorageLocation = z.infer<typeof BackupStorageLocation>;

const DataSource = z.object({
  kind: z.string(),
  name: z.string(),
  /** Of a dataSourceRef only; else the claim's own. */
  namespace: z.string().nullish(),
});

/** v1 PersistentVolumeClaim. */
export const PersistentVolumeClaim = z.object({
  metadata: views.Metadata,
  spec: z
    .object({
      storageClassName: z.string().nullish(),
      volumeName: z.string().optional(),
      dataSource: DataSource.nullish(),
      dataSourceRef: DataSource.nullish(),
    })
    .nullish(),
  status: z.object({ phase: z.string().nullish() }).nullish(),
});
export type PersistentVolumeClaim = z.infer<typeof PersistentVolumeClaim>;

/** v1 PersistentVolume. */
export const PersistentVolume = z.object({
  metadata: views.Metadata,
  spec: z
    .object({
      storageClassName: z.string().nullish(),
      csi: z.object({ driver: z.string(), volumeHandle: z.string() }).nullish(),
    })
    .nullish(),
});
export type PersistentVolume = z.infer<typeof PersistentVolume>;

/** An object as it is now, for the preconditions of acting on it. */
export function referenceTo({ namespace, name = "", uid, resourceVersion }: Metadata): ObjectRef {
  return { ...(namespace === undefined ? {} : { namespace }), name, uid, resourceVersion };
}
