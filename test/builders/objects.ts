/** A part of an object as it stands in JSON. */
export type Json = Record<string, unknown>;

/** What a case changes of an object: the parts' own fields, one level deep; undefined leaves a field out. */
export interface Overrides {
  readonly metadata?: Json;
  readonly spec?: Json;
  readonly status?: Json;
  readonly data?: Json;
}

export const SNAPSHOT_UID = "6f1c9a52-0b2e-4f0e-9a53-7d1f0c7a1b11";
export const CLAIM_UID = "0d9c2f5e-55f0-4a6b-8f0a-3c1f8d2e7a42";
export const HANDLE = "snap-0a1b2c3d";
export const DRIVER = "rbd.csi.ceph.com";
export const RESTORE_UID = "b8d5f2c1-4a3e-4f7b-9c6d-2e1a0f9b8c7d";
/** Velero's id of the data that `aDataUpload` moved. */
export const SNAPSHOT_ID = "5a8c0e1f7b3d";

/** A Backup as an admin creates it. */
export function aBackup(overrides: Overrides = {}): Json {
  return merge(
    {
      apiVersion: "velero.io/v1",
      kind: "Backup",
      metadata: { name: "nightly-1", namespace: "velero" },
      spec: { snapshotMoveData: true, includedNamespaces: ["app"] },
    },
    overrides,
  );
}

/** A VolumeSnapshot as Velero's CSI plugin creates it: the PVC's labels and the Backup's name. */
export function aVolumeSnapshot(overrides: Overrides = {}): Json {
  return merge(
    {
      apiVersion: "snapshot.storage.k8s.io/v1",
      kind: "VolumeSnapshot",
      metadata: {
        generateName: "velero-data-",
        namespace: "app",
        labels: { "app.kubernetes.io/name": "shop", "velero.io/backup-name": "nightly-1" },
      },
      spec: { source: { persistentVolumeClaimName: "data" }, volumeSnapshotClassName: "fast" },
    },
    overrides,
  );
}

/** A VolumeSnapshotContent as the snapshot-controller creates it for `aVolumeSnapshot`. */
export function aContent(overrides: Overrides = {}): Json {
  return merge(
    {
      apiVersion: "snapshot.storage.k8s.io/v1",
      kind: "VolumeSnapshotContent",
      metadata: { name: `snapcontent-${SNAPSHOT_UID}` },
      spec: {
        driver: DRIVER,
        deletionPolicy: "Delete",
        source: { volumeHandle: "vol-1" },
        volumeSnapshotClassName: "fast",
        volumeSnapshotRef: { name: "velero-data-x7k2p", namespace: "app", uid: SNAPSHOT_UID },
      },
    },
    overrides,
  );
}

/** The VolumeSnapshot that Velero's exposer makes as a clone: named like the DataUpload, without labels. */
export function aCloneSnapshot(overrides: Overrides = {}): Json {
  return merge(
    {
      apiVersion: "snapshot.storage.k8s.io/v1",
      kind: "VolumeSnapshot",
      metadata: { name: "nightly-1-b4c5d", namespace: "velero" },
      spec: { source: { volumeSnapshotContentName: "nightly-1-b4c5d" }, volumeSnapshotClassName: "fast" },
    },
    overrides,
  );
}

/** The VolumeSnapshotContent that Velero's exposer makes as a clone: the original's handle, without labels. */
export function aCloneContent(overrides: Overrides = {}): Json {
  return merge(
    {
      apiVersion: "snapshot.storage.k8s.io/v1",
      kind: "VolumeSnapshotContent",
      metadata: { name: "nightly-1-b4c5d" },
      spec: {
        driver: DRIVER,
        deletionPolicy: "Delete",
        source: { snapshotHandle: HANDLE },
        volumeSnapshotClassName: "fast",
        volumeSnapshotRef: {
          name: "nightly-1-b4c5d",
          namespace: "velero",
          uid: "a3b8f042-1e6d-4d55-8d0f-2d4f60d2ac53",
        },
      },
    },
    overrides,
  );
}

/** A DataUpload as Velero's CSI plugin creates it for `aVolumeSnapshot`. */
export function aDataUpload(overrides: Overrides = {}): Json {
  return merge(
    {
      apiVersion: "velero.io/v2alpha1",
      kind: "DataUpload",
      metadata: {
        generateName: "nightly-1-",
        namespace: "velero",
        labels: { "velero.io/backup-name": "nightly-1", "velero.io/pvc-uid": CLAIM_UID },
        ownerReferences: [
          { apiVersion: "velero.io/v1", kind: "Backup", name: "nightly-1", controller: true },
        ],
      },
      spec: {
        snapshotType: "CSI",
        csiSnapshot: {
          volumeSnapshot: "velero-data-x7k2p",
          storageClass: "fast",
          snapshotClass: "fast",
          driver: DRIVER,
        },
        sourcePVC: "data",
        sourceNamespace: "app",
        backupStorageLocation: "default",
        operationTimeout: "10m0s",
      },
    },
    overrides,
  );
}

/** A DataDownload as Velero's CSI plugin creates it to restore the claim of `aDataUpload`, into another namespace. */
export function aDataDownload(overrides: Overrides = {}): Json {
  return merge(
    {
      apiVersion: "velero.io/v2alpha1",
      kind: "DataDownload",
      metadata: {
        generateName: "restore-1-",
        namespace: "velero",
        labels: { "velero.io/restore-name": "restore-1", "velero.io/restore-uid": RESTORE_UID },
        ownerReferences: [
          { apiVersion: "velero.io/v1", kind: "Restore", name: "restore-1", controller: true },
        ],
      },
      spec: {
        targetVolume: { pvc: "data", pv: "", namespace: "app-copy" },
        backupStorageLocation: "default",
        snapshotID: SNAPSHOT_ID,
        sourceNamespace: "app",
        operationTimeout: "10m0s",
      },
    },
    overrides,
  );
}

/** The PersistentVolumeClaim that `aVolumeSnapshot` was taken of. */
export function aClaim(overrides: Overrides = {}): Json {
  return merge(
    {
      apiVersion: "v1",
      kind: "PersistentVolumeClaim",
      metadata: { name: "data", namespace: "app", uid: CLAIM_UID, labels: { tier: "gold" } },
      spec: { storageClassName: "fast", volumeName: "pv-1" },
    },
    overrides,
  );
}

/** The PersistentVolume of `aClaim`. */
export function aVolume(overrides: Overrides = {}): Json {
  return merge(
    {
      apiVersion: "v1",
      kind: "PersistentVolume",
      metadata: { name: "pv-1" },
      spec: { csi: { driver: DRIVER, volumeHandle: "vol-1" } },
    },
    overrides,
  );
}

/** A snapshot associated object of another data mover plugin: a ConfigMap that names volume and snapshot. */
export function anAcmeSnapshot(overrides: Overrides = {}): Json {
  return merge(
    {
      apiVersion: "v1",
      kind: "ConfigMap",
      metadata: {
        name: "acme-snap-1",
        namespace: "acme-mover",
        labels: { "acme.io/snapshot": "true", "acme.io/tier": "gold" },
      },
      data: { pvcNamespace: "app", pvcName: "data", snapshotId: "acme-77" },
    },
    overrides,
  );
}

function merge(base: Json, overrides: Overrides): Json {
  const parts = Object.entries(overrides).map(([key, part]) => {
    const own: unknown = base[key];
    return [key, { ...(typeof own === "object" ? own : {}), ...part }] as const;
  });
  return asSent({ ...base, ...Object.fromEntries(parts) });
}

/** A copy as it arrives over the wire: without fields that are undefined. */
export function asSent(value: Json): Json {
  const copy: unknown = JSON.parse(JSON.stringify(value));
  return typeof copy === "object" && copy !== null ? Object.fromEntries(Object.entries(copy)) : {};
}
