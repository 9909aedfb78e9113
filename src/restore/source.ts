import * as z from "zod";
import { RESTORE_SOURCE_ANNOTATION } from "../kube/keys.ts";
import { valueOf } from "../kube/objects.ts";
import type { DataDownload } from "../kube/objects.ts";

/** The retained snapshot that a DataDownload is to be restored from, as the webhook found it. */
export const RestoreSource = z.object({
  /** Of the VolumeSnapshotContent; in another cluster there may be none of that name. */
  name: z.string(),
  driver: z.string(),
  handle: z.string(),
  /** Whether the content is of this cluster; else only the storage can tell whether the snapshot exists. */
  local: z.boolean(),
  backup: z.string().optional(),
  snapshotClass: z.string().optional(),
  deletionSecretName: z.string().optional(),
  deletionSecretNamespace: z.string().optional(),
});
export type RestoreSource = z.infer<typeof RestoreSource>;

/** The annotation's text. */
export function writeSource(source: RestoreSource): string {
  return JSON.stringify(source);
}

/** What a DataDownload's annotation says; undefined where there is none that can be read. */
export function sourceOf({ metadata }: Pick<DataDownload, "metadata">): RestoreSource | undefined {
  const text = valueOf(metadata.annotations, RESTORE_SOURCE_ANNOTATION);
  try {
    return text === undefined ? undefined : RestoreSource.safeParse(JSON.parse(text)).data;
  } catch {
    return undefined;
  }
}
