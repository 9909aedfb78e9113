import { createHash, randomBytes, randomUUID } from "node:crypto";
import type { Ref, Stored } from "./api.ts";

type Strings = Readonly<Record<string, string>>;

/** A manifest that may carry anything. */
export interface Manifest extends Ref {
  readonly metadata: Ref["metadata"] & {
    readonly generateName?: string;
    readonly labels?: Strings;
    readonly annotations?: Strings;
    readonly ownerReferences?: readonly object[];
  };
  readonly spec?: Readonly<Record<string, unknown>>;
  readonly [field: string]: unknown;
}

/** A name that no other object has. */
export function aName(prefix: string): string {
  return `${prefix}-${randomBytes(4).toString("hex")}`;
}

/** As `velero backup create --snapshot-move-data` sends it; `spec` replaces it where given. */
export function aBackup(
  given: {
    readonly name?: string;
    readonly namespace?: string;
    readonly labels?: Strings;
    readonly annotations?: Strings;
    readonly spec?: Readonly<Record<string, unknown>>;
    readonly status?: Readonly<Record<string, unknown>>;
  } = {},
): Manifest {
  const { name = aName("backup"), namespace = "velero", labels, annotations, spec, status } = given;
  return {
    apiVersion: "velero.io/v1",
    kind: "Backup",
    metadata: { name, namespace, ...(labels && { labels }), ...(annotations && { annotations }) },
    spec: spec ?? { snapshotMoveData: true, includedNamespaces: ["shop"] },
    ...(status && { status }),
  };
}

/** A claim of an application. */
export function aClaim(given: {
  readonly name: string;
  readonly namespace: string;
  readonly labels?: Strings;
  readonly storageClassName?: string;
}): Manifest {
  const { name, namespace, labels, storageClassName = "array" } = given;
  return {
    apiVersion: "v1",
    kind: "PersistentVolumeClaim",
    metadata: { name, namespace, ...(labels && { labels }) },
    spec: {
      accessModes: ["ReadWriteOnce"],
      storageClassName,
      resources: { requests: { storage: "1Gi" } },
    },
  };
}

/** As Velero's CSI plugin makes it (velero pvc_action.go): all labels of the claim, and the Backup's name. */
export function aVolumeSnapshot(given: {
  readonly claim: Ref & { readonly metadata: { readonly labels?: Strings } };
  readonly backup: string;
}): Manifest {
  const { claim, backup } = given;
  return {
    apiVersion: "snapshot.storage.k8s.io/v1",
    kind: "VolumeSnapshot",
    metadata: {
      generateName: `velero-${claim.metadata.name ?? ""}-`,
      namespace: claim.metadata.namespace,
      labels: { ...claim.metadata.labels, "velero.io/backup-name": veleroLabel(backup) },
    },
    spec: {
      volumeSnapshotClassName: "array",
      source: { persistentVolumeClaimName: claim.metadata.name },
    },
  };
}

/** As a user makes it, or any other tool. */
export function anOrdinarySnapshot(given: {
  readonly namespace: string;
  readonly claim: string;
  readonly labels?: Strings;
  readonly annotations?: Strings;
}): Manifest {
  const { namespace, claim, labels, annotations } = given;
  return {
    apiVersion: "snapshot.storage.k8s.io/v1",
    kind: "VolumeSnapshot",
    metadata: {
      name: aName("nightly"),
      namespace,
      ...(labels && { labels }),
      ...(annotations && { annotations }),
    },
    spec: { volumeSnapshotClassName: "array", source: { persistentVolumeClaimName: claim } },
  };
}

/** What a group's members belong to; without an owner that exists the garbage collector would take them away. */
export function aGroupSnapshot({ namespace }: { readonly namespace: string }): Manifest {
  return {
    apiVersion: "groupsnapshot.storage.k8s.io/v1",
    kind: "VolumeGroupSnapshot",
    metadata: { name: aName("group"), namespace },
    spec: { source: { selector: { matchLabels: { "velero.io/volume-group": "shop" } } } },
  };
}

/** A member as the snapshot controller makes it (groupsnapshot_controller_helper.go): no label of anybody's. */
export function aGroupMember({ claim, group }: { readonly claim: string; readonly group: Stored }): Manifest {
  const { apiVersion, kind, metadata } = group;
  return {
    apiVersion: "snapshot.storage.k8s.io/v1",
    kind: "VolumeSnapshot",
    metadata: {
      name: aName("snapshot"),
      namespace: metadata.namespace,
      ownerReferences: [{ apiVersion, kind, name: metadata.name, uid: metadata.uid }],
    },
    spec: { source: { persistentVolumeClaimName: claim } },
  };
}

/** As Velero's CSI plugin makes it (velero pvc_action.go, newDataUpload). */
export function aDataUpload(given: {
  readonly backup: string;
  readonly claim: Ref;
  readonly snapshot: string;
  readonly driver?: string;
  readonly storageClass?: string;
  readonly labels?: Strings;
  readonly annotations?: Strings;
}): Manifest {
  const { backup, claim, snapshot, driver, storageClass = "array", labels, annotations } = given;
  return {
    apiVersion: "velero.io/v2alpha1",
    kind: "DataUpload",
    metadata: {
      generateName: `${backup}-`,
      namespace: "velero",
      labels: { "velero.io/backup-name": veleroLabel(backup), "velero.io/pvc-uid": randomUUID(), ...labels },
      ...(annotations && { annotations }),
    },
    spec: {
      snapshotType: "CSI",
      csiSnapshot: {
        volumeSnapshot: snapshot,
        storageClass,
        snapshotClass: "array",
        driver: driver ?? "array.csi.snapshot-retainer.io",
      },
      sourcePVC: claim.metadata.name,
      sourceNamespace: claim.metadata.namespace,
      backupStorageLocation: "default",
      operationTimeout: "10m0s",
    },
  };
}

/** The clone's VolumeSnapshot as the exposer makes it (velero csi_snapshot.go, createBackupVS). */
export function aCloneSnapshot(given: {
  readonly name: string;
  readonly namespace?: string;
  readonly labels?: Strings;
  readonly annotations?: Strings;
}): Manifest {
  const { name, namespace = "velero", labels, annotations } = given;
  return {
    apiVersion: "snapshot.storage.k8s.io/v1",
    kind: "VolumeSnapshot",
    metadata: { name, namespace, ...(labels && { labels }), ...(annotations && { annotations }) },
    spec: { volumeSnapshotClassName: "array", source: { volumeSnapshotContentName: name } },
  };
}

/** The clone's content as the exposer makes it (velero csi_snapshot.go, createBackupVSC). */
export function aCloneContent(given: {
  readonly name: string;
  readonly of: Stored;
  readonly ref: Stored | { readonly namespace: string; readonly name: string };
  readonly labels?: Strings;
  readonly annotations?: Strings;
}): Manifest {
  const { name, of, ref, labels, annotations } = given;
  return {
    apiVersion: "snapshot.storage.k8s.io/v1",
    kind: "VolumeSnapshotContent",
    metadata: { name, ...(labels && { labels }), ...(annotations && { annotations }) },
    spec: {
      volumeSnapshotRef: "metadata" in ref ? referenceTo(ref) : ref,
      deletionPolicy: "Delete",
      driver: of.spec["driver"],
      volumeSnapshotClassName: of.spec["volumeSnapshotClassName"],
      source: { snapshotHandle: of.status["snapshotHandle"] },
    },
  };
}

function referenceTo({ metadata: { name, namespace, uid, resourceVersion } }: Stored): unknown {
  return { name, namespace, uid, resourceVersion };
}

/** The content through which Velero deletes a snapshot of an old Backup (velero volumesnapshotcontent_action.go). */
export function aTemporaryContent(of: Stored): Manifest {
  const { driver, volumeSnapshotClassName } = of.spec;
  return {
    apiVersion: "snapshot.storage.k8s.io/v1",
    kind: "VolumeSnapshotContent",
    metadata: {
      name: `vsc-${randomUUID()}`,
      labels: { ...of.metadata.labels, "velero.io/backup-name": "old" },
      annotations: of.metadata.annotations,
    },
    spec: {
      deletionPolicy: "Delete",
      driver,
      volumeSnapshotClassName,
      source: { snapshotHandle: of.status["snapshotHandle"] },
      volumeSnapshotRef: {
        apiVersion: "snapshot.storage.k8s.io/v1",
        kind: "VolumeSnapshot",
        namespace: `ns-${of.metadata.uid}`,
        name: `name-${of.metadata.uid}`,
      },
    },
  };
}

/** A snapshot associated object of another data mover plugin. */
export function anAcmeSnapshot(given: {
  readonly volume: string;
  readonly snapshotId: string;
  readonly labels?: Strings;
  readonly annotations?: Strings;
}): Manifest {
  const { volume, snapshotId, labels, annotations } = given;
  return {
    apiVersion: "v1",
    kind: "ConfigMap",
    metadata: {
      name: aName("acme"),
      namespace: "acme-mover",
      labels: { "acme.io/snapshot": "true", ...labels },
      ...(annotations && { annotations }),
    },
    data: { pvcNamespace: "shop", pvcName: volume, snapshotId },
  };
}

/** What Velero's label.GetValidName makes of a name: up to 63 characters as they are, else 57 and 6 of its SHA-256. */
export function veleroLabel(name: string): string {
  const digest = createHash("sha256").update(name).digest("hex");
  return name.length <= 63 ? name : `${name.slice(0, 57)}${digest.slice(0, 6)}`;
}
