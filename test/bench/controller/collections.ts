/** What the controller watches of a large cluster; the same as in go/informer. */
export const COLLECTIONS: readonly {
  readonly path: string;
  readonly apiVersion: string;
  readonly kind: string;
}[] = [
  {
    path: "/apis/snapshot.storage.k8s.io/v1/volumesnapshotcontents",
    apiVersion: "snapshot.storage.k8s.io/v1",
    kind: "VolumeSnapshotContent",
  },
  {
    path: "/apis/snapshot.storage.k8s.io/v1/volumesnapshots",
    apiVersion: "snapshot.storage.k8s.io/v1",
    kind: "VolumeSnapshot",
  },
  { path: "/apis/velero.io/v2alpha1/datauploads", apiVersion: "velero.io/v2alpha1", kind: "DataUpload" },
  { path: "/apis/velero.io/v1/backups", apiVersion: "velero.io/v1", kind: "Backup" },
  { path: "/api/v1/persistentvolumeclaims", apiVersion: "v1", kind: "PersistentVolumeClaim" },
  { path: "/api/v1/persistentvolumes", apiVersion: "v1", kind: "PersistentVolume" },
];
