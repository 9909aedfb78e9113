import { deletionSecretOf, secretAnnotations } from "../kube/deletion-secret.ts";
import type { Entry } from "./entry.ts";
import type { VolumeSnapshotContent } from "./objects.ts";
import type { Recreate } from "./plan.ts";
import { recordOf } from "./record.ts";
import type { SnapshotRecord } from "./record.ts";
import type { Relations } from "./relations.ts";
import { documentFor, labelsFor } from "./retained-document.ts";
import type { StorageSnapshot } from "./storage-snapshot.ts";

/** The content of a snapshot whose object is gone; undefined for all others. */
export function recreate({ snapshot, course }: Entry, relations: Relations): Recreate | undefined {
  if (course.stage !== "missing") {
    return undefined;
  }
  const { name, vanished } = snapshot;
  const remembered = vanished === undefined ? fromRecord(snapshot) : fromContent(vanished);
  const message = "its object is gone and its snapshot is on the storage";
  return recreateFrom({ name, message, ...remembered }, snapshot, relations);
}

/** The same snapshot under another name, while the content that it had is still there. */
export function recreateAs(
  name: string,
  content: VolumeSnapshotContent,
  snapshot: StorageSnapshot,
  relations: Relations,
): Recreate | undefined {
  const message = "its object was deleted and its snapshot is on the storage";
  return recreateFrom({ name, message, ...fromContent(content) }, snapshot, relations);
}

function recreateFrom(
  given: Remembered & Pick<Recreate, "name" | "message">,
  snapshot: StorageSnapshot,
  relations: Relations,
): Recreate | undefined {
  const { driver, handle, name: key } = snapshot;
  if (driver === undefined || handle === undefined) {
    return undefined;
  }
  const document = documentFor(snapshot, relations);
  const labels = { ...given.labels, ...labelsFor(document) };
  return { kind: "recreate", key, driver, handle, document, ...given, labels };
}

type Remembered = Pick<
  Recreate,
  "snapshotClass" | "sourceVolumeMode" | "labels" | "annotations" | "snapshotRef"
>;

function fromContent({ metadata, spec }: VolumeSnapshotContent): Remembered {
  const { namespace = "", name = "" } = spec.volumeSnapshotRef;
  return {
    snapshotClass: spec.volumeSnapshotClassName ?? undefined,
    sourceVolumeMode: spec.sourceVolumeMode ?? undefined,
    labels: metadata.labels ?? {},
    annotations: secretAnnotations(deletionSecretOf(metadata.annotations)),
    snapshotRef: { namespace, name },
  };
}

function fromRecord({ identity, name }: StorageSnapshot): Remembered {
  const { upload } = identity;
  const record: SnapshotRecord | undefined = upload && recordOf(upload);
  return {
    snapshotClass: record?.snapshotClass,
    sourceVolumeMode: undefined,
    labels: {},
    annotations: record?.annotations ?? {},
    snapshotRef: { namespace: upload?.metadata.namespace ?? "", name },
  };
}
