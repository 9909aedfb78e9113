import { labelsOf } from "../admission/inherit.ts";
import type { Inherited } from "../admission/inherited.ts";
import { EXCLUDE_FROM_BACKUP_LABEL, RETAINED_LABEL } from "../kube/keys.ts";
import type { StringMap } from "../kube/objects.ts";
import type { Relations } from "./relations.ts";
import type { StorageSnapshot } from "./storage-snapshot.ts";

const CONTENT = "VolumeSnapshotContent";

/** The document that a content should carry: its own, else one of what its DataUpload tells. */
export function documentFor(snapshot: StorageSnapshot, relations: Relations): Inherited {
  const { identity, driver, handle, volumeHandle } = snapshot;
  if (identity.document !== undefined) {
    return identity.document;
  }
  const { upload, volumeName, volume, backup } = identity;
  const known = upload && relations.document(upload.metadata);
  return {
    version: 1,
    kind: CONTENT,
    // A uid is as random and as unique as an alias, and the same at each look.
    alias: known?.alias ?? upload?.metadata.uid ?? snapshot.name,
    volumeName,
    volume: { name: volume.name, ...(volume.namespace === undefined ? {} : { namespace: volume.namespace }) },
    ...(backup === undefined ? {} : { backup }),
    ...(driver === undefined ? {} : { snapshot: storageIdentity(driver, handle, volumeHandle) }),
    labels: {},
  };
}

function storageIdentity(
  driver: string,
  handle: string | undefined,
  volumeHandle: string | undefined,
): NonNullable<Inherited["snapshot"]> {
  return {
    driver,
    ...(handle === undefined ? {} : { handle }),
    ...(volumeHandle === undefined ? {} : { volumeHandle }),
  };
}

/** The labels of a content: those by which it is found, and what its original had; it has no place in any backup. */
export function labelsFor(document: Inherited): StringMap {
  return { ...labelsOf({ ...document, kind: CONTENT }), [EXCLUDE_FROM_BACKUP_LABEL]: "true" };
}

/** The label of a retained content. */
export const RETAINED: StringMap = { [RETAINED_LABEL]: "true" };
