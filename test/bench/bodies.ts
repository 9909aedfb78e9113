import { randomUUID } from "node:crypto";
import { createSigner } from "../../src/admission/signer.ts";
import { writeInherited } from "../../src/admission/inherited.ts";
import { INHERITED_ANNOTATION } from "../../src/kube/keys.ts";
import { KEY } from "./key.ts";

/** More than anything could be remembered of: no request of a real cluster comes twice in a row either. */
const DIFFERENT = 1_000;

/** AdmissionReviews as kube-apiserver sends them, by name: different objects of one shape. */
export const BODIES: Readonly<Record<string, readonly string[]>> = {
  VolumeSnapshotContent: Array.from({ length: DIFFERENT }, aCloneReview),
  Backup: Array.from({ length: DIFFERENT }, () => aBackupReview(["prod-*"])),
  // 200 KB, far more than any that was seen; a few different ones, since the generator keeps them all.
  "Backup of 193 KB": Array.from({ length: 20 }, () =>
    aBackupReview(Array.from({ length: 5_000 }, () => `prod-${randomUUID().slice(0, 30)}`)),
  ),
};

/** A data mover's clone of a content, with the annotation that it copied: some 4 KB. */
function aCloneReview(): string {
  const name = `nightly-20261122010000-${randomUUID().slice(0, 5)}`;
  const inherited = {
    version: 1 as const,
    kind: "VolumeSnapshotContent",
    alias: randomUUID(),
    volumeName: "prod-shop.data",
    volume: { namespace: "prod-shop", name: "data" },
    backup: { namespace: "velero", name: "nightly-20261122010000" },
    labels: { app: "shop", tier: "gold" },
  };
  const object = {
    apiVersion: "snapshot.storage.k8s.io/v1",
    kind: "VolumeSnapshotContent",
    metadata: {
      name,
      creationTimestamp: null,
      annotations: {
        [INHERITED_ANNOTATION]: writeInherited(inherited, createSigner(KEY)),
        "snapshot.storage.kubernetes.io/deletion-secret-name": "csi-secret",
        "snapshot.storage.kubernetes.io/deletion-secret-namespace": "kube-system",
      },
      managedFields: managedFields(12),
    },
    spec: {
      deletionPolicy: "Delete",
      driver: "array.csi.snapshot-retainer.io",
      source: { snapshotHandle: `snap-${randomUUID()}` },
      volumeSnapshotClassName: "array",
      volumeSnapshotRef: { name, namespace: "velero", uid: randomUUID() },
    },
  };
  const resource = { group: "snapshot.storage.k8s.io", version: "v1", resource: "volumesnapshotcontents" };
  return review(resource, "VolumeSnapshotContent", object, "system:serviceaccount:velero:velero");
}

/** A scheduled Backup with what Velero and kubectl put on one: some 3 KB, and its namespaces. */
function aBackupReview(includedNamespaces: readonly string[]): string {
  const name = `nightly-${randomUUID().slice(0, 8)}`;
  const object = {
    apiVersion: "velero.io/v1",
    kind: "Backup",
    metadata: {
      name,
      namespace: "velero",
      labels: { "velero.io/schedule-name": "nightly", "velero.io/storage-location": "default" },
      annotations: { "velero.io/resource-timeout": "10m0s", note: "x".repeat(200) },
      managedFields: managedFields(7),
    },
    spec: {
      snapshotMoveData: true,
      includedNamespaces,
      ttl: "720h0m0s",
      hooks: {},
      metadata: {},
    },
  };
  const resource = { group: "velero.io", version: "v1", resource: "backups" };
  return review(resource, "Backup", object, "system:serviceaccount:velero:velero");
}

function managedFields(count: number): object[] {
  return Array.from({ length: count }, (_, index) => ({
    manager: `manager-${index}`,
    operation: "Update",
    apiVersion: "v1",
    time: "2026-11-22T01:00:00Z",
    fieldsType: "FieldsV1",
    fieldsV1: { "f:metadata": { "f:annotations": { ".": {}, "f:a": {} } }, "f:spec": { "f:driver": {} } },
  }));
}

function review(
  resource: { readonly group: string; readonly version: string },
  kind: string,
  object: { metadata: object },
  username: string,
): string {
  const gvk = { group: resource.group, version: resource.version, kind };
  return JSON.stringify({
    kind: "AdmissionReview",
    apiVersion: "admission.k8s.io/v1",
    request: {
      uid: randomUUID(),
      kind: gvk,
      resource,
      requestKind: gvk,
      requestResource: resource,
      name: "name" in object.metadata ? object.metadata.name : "",
      namespace: kind === "Backup" ? "velero" : "",
      operation: "CREATE",
      userInfo: { username, uid: randomUUID(), groups: ["system:serviceaccounts", "system:authenticated"] },
      object,
      oldObject: null,
      dryRun: false,
      options: { kind: "CreateOptions", apiVersion: "meta.k8s.io/v1" },
    },
  });
}
