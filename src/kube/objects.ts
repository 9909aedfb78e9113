import * as z from "zod";

/** Labels or annotations. */
export type StringMap = Readonly<Record<string, string>>;

const Strings = z.record(z.string(), z.string()).nullish();

/** The metadata that we read of any object. */
export const Metadata = z.object({
  name: z.string().optional(),
  generateName: z.string().optional(),
  namespace: z.string().optional(),
  uid: z.string().optional(),
  resourceVersion: z.string().optional(),
  creationTimestamp: z.string().nullish(),
  deletionTimestamp: z.string().nullish(),
  labels: Strings,
  annotations: Strings,
});
export type Metadata = z.infer<typeof Metadata>;

/** Any object, as far as its metadata goes. */
export const AnyObject = z.object({ metadata: Metadata });
export type AnyObject = z.infer<typeof AnyObject>;

/** velero.io/v1 Backup: the fields that we read. */
export const Backup = z.object({
  metadata: Metadata,
  spec: z.object({ snapshotMoveData: z.boolean().nullish() }).nullish(),
  status: z.object({ phase: z.string().optional() }).nullish(),
});
export type Backup = z.infer<typeof Backup>;

/** snapshot.storage.k8s.io/v1 VolumeSnapshot: the fields that we read. */
export const VolumeSnapshot = z.object({
  metadata: Metadata,
  spec: z.object({
    source: z.object({
      persistentVolumeClaimName: z.string().optional(),
      volumeSnapshotContentName: z.string().optional(),
    }),
  }),
  status: z.object({ boundVolumeSnapshotContentName: z.string().optional() }).nullish(),
});
export type VolumeSnapshot = z.infer<typeof VolumeSnapshot>;

/** snapshot.storage.k8s.io/v1 VolumeSnapshotContent: the fields that we read. */
export const VolumeSnapshotContent = z.object({
  metadata: Metadata,
  spec: z.object({
    driver: z.string(),
    deletionPolicy: z.string().optional(),
    source: z.object({ volumeHandle: z.string().optional(), snapshotHandle: z.string().optional() }),
    volumeSnapshotRef: z.object({
      name: z.string().optional(),
      namespace: z.string().optional(),
      uid: z.string().optional(),
    }),
  }),
  status: z.object({ snapshotHandle: z.string().optional() }).nullish(),
});
export type VolumeSnapshotContent = z.infer<typeof VolumeSnapshotContent>;

/** velero.io/v2alpha1 DataUpload: the fields that we read. */
export const DataUpload = z.object({
  metadata: Metadata.extend({
    ownerReferences: z.array(z.object({ kind: z.string(), name: z.string() })).nullish(),
  }),
  spec: z.object({
    sourcePVC: z.string(),
    sourceNamespace: z.string(),
    retainSnapshot: z.boolean().nullish(),
    datamover: z.string().optional(),
    csiSnapshot: z
      .object({
        volumeSnapshot: z.string(),
        storageClass: z.string().optional(),
        driver: z.string().optional(),
      })
      .nullish(),
  }),
  status: z.object({ phase: z.string().nullish() }).nullish(),
});
export type DataUpload = z.infer<typeof DataUpload>;

/** v1 PersistentVolumeClaim: the fields that we read. */
export const PersistentVolumeClaim = z.object({
  metadata: Metadata,
  spec: z.object({ storageClassName: z.string().nullish(), volumeName: z.string().optional() }).nullish(),
});
export type PersistentVolumeClaim = z.infer<typeof PersistentVolumeClaim>;

/** v1 PersistentVolume: the fields that we read. */
export const PersistentVolume = z.object({
  metadata: Metadata,
  spec: z.object({ csi: z.object({ driver: z.string(), volumeHandle: z.string() }).nullish() }).nullish(),
});
export type PersistentVolume = z.infer<typeof PersistentVolume>;

/** A value of a map that may be absent. */
export function valueOf(map: StringMap | null | undefined, key: string): string | undefined {
  return map !== null && map !== undefined && Object.hasOwn(map, key) ? map[key] : undefined;
}
