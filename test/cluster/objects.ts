import { classNameOf, type DriverOptions, type StorageClassOptions } from "./csi-driver.ts";

/** A manifest as kubectl takes it. */
export type Manifest = Readonly<Record<string, unknown>>;

/** What a namespace with Velero in it has before anything is backed up: itself, the account and its rights. */
export function veleroAccount(namespace: string): Manifest[] {
  const subject = { kind: "ServiceAccount", name: "velero", namespace };
  return [
    { apiVersion: "v1", kind: "Namespace", metadata: { name: namespace } },
    { apiVersion: "v1", kind: "ServiceAccount", metadata: { name: "velero", namespace } },
    {
      apiVersion: "rbac.authorization.k8s.io/v1",
      kind: "ClusterRoleBinding",
      // As `velero install` calls it.
      metadata: { name: namespace === "velero" ? "velero" : `velero-${namespace}` },
      subjects: [subject],
      roleRef: { apiGroup: "rbac.authorization.k8s.io", kind: "ClusterRole", name: "cluster-admin" },
    },
  ];
}

/** A driver's registration and its classes; the first driver's StorageClass is the default one. */
export function driverObjects(driver: DriverOptions, index: number): Manifest[] {
  const name = classNameOf(driver);
  return [
    {
      apiVersion: "storage.k8s.io/v1",
      kind: "CSIDriver",
      metadata: { name: driver.name },
      spec: { attachRequired: false },
    },
    storageClass(driver, { name }, index === 0),
    ...(driver.classes ?? []).map((further) => storageClass(driver, further, false)),
    {
      apiVersion: "snapshot.storage.k8s.io/v1",
      kind: "VolumeSnapshotClass",
      metadata: {
        name,
        labels: { "velero.io/csi-volumesnapshot-class": "true" },
        // Each driver may have one.
        annotations: { "snapshot.storage.kubernetes.io/is-default-class": "true" },
      },
      driver: driver.name,
      deletionPolicy: "Delete",
    },
  ];
}

function storageClass(driver: DriverOptions, options: StorageClassOptions, isDefault: boolean): Manifest {
  const { name, volumeBindingMode = "Immediate", reclaimPolicy = "Delete" } = options;
  return {
    apiVersion: "storage.k8s.io/v1",
    kind: "StorageClass",
    metadata: {
      name,
      annotations: { "storageclass.kubernetes.io/is-default-class": String(isDefault) },
    },
    provisioner: driver.name,
    reclaimPolicy,
    volumeBindingMode,
  };
}

/** Several manifests as one document. */
export function asList(items: readonly Manifest[]): string {
  return JSON.stringify({ apiVersion: "v1", kind: "List", items });
}
