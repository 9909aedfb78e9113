import { OUR_DATA_MOVER, RESTORE_DECISION_ANNOTATION, RESTORE_VOLUME_ANNOTATION } from "../kube/keys.ts";
import { valueOf } from "../kube/objects.ts";
import type { DataDownload } from "../kube/objects.ts";

/** No DataDownload leaves one of these (velero data_download_controller.go, isDataDownloadInFinalState). */
const FINAL: readonly string[] = ["Completed", "Failed", "Canceled"];

/** Whether a DataDownload is ours to carry out, and not over. */
export function isOurs(download: DataDownload): boolean {
  return download.spec.datamover === OUR_DATA_MOVER && !isOver(download);
}

/** Whether a DataDownload has ended. */
export function isOver({ status }: DataDownload): boolean {
  return FINAL.includes(status?.phase ?? "");
}

/**
 * Whether Velero can still do it from the start: until its claim is being bound to a volume of ours. One that is cancelled
 * is ours to end.
 */
export function mayBeHandedBack(download: DataDownload): boolean {
  const { metadata, spec } = download;
  const isBeingBound = valueOf(metadata.annotations, RESTORE_VOLUME_ANNOTATION) !== undefined;
  return isOurs(download) && !isBeingBound && spec.cancel !== true;
}

/** A merge patch after which Velero's own data mover takes a DataDownload up as if it had just been made. */
export interface HandBack {
  readonly metadata: { readonly annotations: Readonly<Record<string, string | null>> };
  readonly spec: { readonly datamover: null };
  readonly status: null;
}

/** Sets a DataDownload back; `reason` continues the sentence "handed back to Velero: …". */
export function handBackOf(reason: string): HandBack {
  const decision = `by data movement: handed back to Velero: ${reason}`;
  return {
    metadata: { annotations: { [RESTORE_DECISION_ANNOTATION]: decision, [RESTORE_VOLUME_ANNOTATION]: null } },
    spec: { datamover: null },
    status: null,
  };
}
