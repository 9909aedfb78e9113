import { DATA_DOWNLOAD_ANNOTATION, DATA_DOWNLOAD_LABEL, EXCLUDE_FROM_BACKUP_LABEL } from "../kube/keys.ts";
import { valueOf } from "../kube/objects.ts";
import type { Metadata, StringMap } from "../kube/objects.ts";

/**
 * The name of what a restore makes: content, VolumeSnapshot and claim. Not the DataDownload's own, by which Velero's data
 * mover names its Pod and claim where it is handed back; and short, however long that one is.
 */
export function restoreName(uid: string): string {
  return `snapshot-retainer-restore-${uid}`;
}

/** The labels of what a restore makes; it has no place in any backup. */
export function restoreLabels(uid: string): StringMap {
  return {
    "app.kubernetes.io/name": "snapshot-retainer",
    "app.kubernetes.io/managed-by": "snapshot-retainer",
    [DATA_DOWNLOAD_LABEL]: uid,
    [EXCLUDE_FROM_BACKUP_LABEL]: "true",
  };
}

/** The annotation of what a restore makes, for people and for who cleans up. */
export function restoreAnnotations({ namespace = "", name = "" }: Metadata): StringMap {
  return { [DATA_DOWNLOAD_ANNOTATION]: `${namespace}/${name}` };
}

/** The DataDownload whose restore made this object; undefined for all others, whatever their labels say. */
export function madeFor({ name, labels }: Metadata): string | undefined {
  const uid = valueOf(labels, DATA_DOWNLOAD_LABEL);
  return uid !== undefined && name === restoreName(uid) ? uid : undefined;
}
