import { deletionSecretOf, secretAnnotations } from "../kube/deletion-secret.ts";
import { SELECTED_NODE_ANNOTATION } from "../kube/keys.ts";
import { valueOf } from "../kube/objects.ts";
import type { DataDownload, StringMap } from "../kube/objects.ts";
import type { RestoreFacts } from "./facts.ts";
import { restoreAnnotations, restoreLabels, restoreName } from "./names.ts";
import type { Claim, Content } from "./objects.ts";
import { atLeast } from "./quantity.ts";
import type { RestoreSource } from "./source.ts";
import type { NewObject } from "./step.ts";

const SNAPSHOT_API = "snapshot.storage.k8s.io/v1";

/**
 * A content of our own for the retained snapshot: a content that was bound once cannot be bound again. With the policy
 * Retain, so that its end never touches the snapshot.
 */
export function contentFor(facts: RestoreFacts, source: RestoreSource): NewObject {
  const { download, retained } = facts;
  const { uid = "", namespace = "" } = download.metadata;
  const name = restoreName(uid);
  return {
    resource: "volumesnapshotcontents",
    manifest: {
      apiVersion: SNAPSHOT_API,
      kind: "VolumeSnapshotContent",
      metadata: {
        name,
        labels: restoreLabels(uid),
        annotations: { ...restoreAnnotations(download.metadata), ...secretsOf(retained, source) },
      },
      spec: {
        deletionPolicy: "Retain",
        driver: source.driver,
        source: { snapshotHandle: source.handle },
        ...classOf(retained, source),
        ...(typeof retained?.spec.sourceVolumeMode === "string" && {
          sourceVolumeMode: retained.spec.sourceVolumeMode,
        }),
        volumeSnapshotRef: { apiVersion: SNAPSHOT_API, kind: "VolumeSnapshot", name, namespace },
      },
    },
  };
}

function classOf(retained: Content | undefined, { snapshotClass }: RestoreSource): StringMap {
  const name = retained?.spec.volumeSnapshotClassName ?? snapshotClass;
  return name === undefined ? {} : { volumeSnapshotClassName: name };
}

/** The Secret by which the driver finds or frees the snapshot: as its content says, else as it was when it was backed up. */
function secretsOf(retained: Content | undefined, source: RestoreSource): StringMap {
  return {
    ...secretAnnotations(source),
    ...secretAnnotations(deletionSecretOf(retained?.metadata.annotations)),
  };
}

/** The VolumeSnapshot of that content. */
export function snapshotFor({ download, retained }: RestoreFacts, source: RestoreSource): NewObject {
  const { uid = "", namespace } = download.metadata;
  const name = restoreName(uid);
  return {
    resource: "volumesnapshots",
    manifest: {
      apiVersion: SNAPSHOT_API,
      kind: "VolumeSnapshot",
      metadata: {
        name,
        namespace,
        labels: restoreLabels(uid),
        annotations: restoreAnnotations(download.metadata),
        ownerReferences: [ownerOf(download)],
      },
      spec: {
        source: { volumeSnapshotContentName: name },
        ...classOf(retained, source),
      },
    },
  };
}

/** A claim like the target, in Velero's namespace, to be filled from the VolumeSnapshot. */
export function claimFor({ download, content }: RestoreFacts, target: Claim): NewObject {
  const { uid = "", namespace } = download.metadata;
  const name = restoreName(uid);
  const { storageClassName, volumeMode, accessModes, resources } = target.spec;
  const node = valueOf(target.metadata.annotations, SELECTED_NODE_ANNOTATION);
  const storage = atLeast(resources?.requests?.storage ?? "0", content?.status?.restoreSize ?? 0);
  return {
    resource: "persistentvolumeclaims",
    manifest: {
      apiVersion: "v1",
      kind: "PersistentVolumeClaim",
      metadata: {
        name,
        namespace,
        labels: restoreLabels(uid),
        annotations: {
          ...restoreAnnotations(download.metadata),
          ...(node !== undefined && { [SELECTED_NODE_ANNOTATION]: node }),
        },
        ownerReferences: [ownerOf(download)],
      },
      spec: {
        accessModes,
        storageClassName,
        volumeMode,
        resources: { requests: { storage } },
        dataSource: { apiGroup: "snapshot.storage.k8s.io", kind: "VolumeSnapshot", name },
      },
    },
  };
}

/** With the DataDownload these go as well, should nobody else remove them. */
function ownerOf({ metadata: { name, uid } }: DataDownload): object {
  return { apiVersion: "velero.io/v2alpha1", kind: "DataDownload", name, uid };
}
