import * as z from "zod";
import type { Signer } from "../admission/signer.ts";
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

const Signed = RestoreSource.extend({ signature: z.string() });

/** Which data go where: a source holds for nothing else, so that a copy of it on another DataDownload says nothing. */
export interface RestorePurpose {
  /** Of the DataDownload. */
  readonly namespace: string;
  readonly spec: Pick<DataDownload["spec"], "snapshotID" | "sourceNamespace" | "targetVolume">;
}

/** The annotation's text: JSON with a signature over the source and what it is for. */
export function writeSource(source: RestoreSource, purpose: RestorePurpose, signer: Signer): string {
  return JSON.stringify({ ...source, signature: signer.sign(canonical(source, purpose)) });
}

/**
 * What a DataDownload's annotation says, if we wrote it, and for this data and this claim; else undefined. Whoever may create
 * DataDownloads could otherwise have any snapshot on the storage read.
 */
export function sourceOf(
  { metadata, spec }: Pick<DataDownload, "metadata" | "spec">,
  signer: Signer,
): RestoreSource | undefined {
  const found = signedIn(metadata);
  if (found === undefined) return undefined;
  const { signature, ...source } = found;
  const { namespace = "" } = metadata;
  return signer.verify(canonical(source, { namespace, spec }), signature) ? source : undefined;
}

/** The snapshot that a DataDownload names, whoever wrote it: enough to leave that alone for now, and for nothing else. */
export function claimedSource({ metadata }: Pick<DataDownload, "metadata">): RestoreSource | undefined {
  return signedIn(metadata);
}

function signedIn(metadata: DataDownload["metadata"]): z.infer<typeof Signed> | undefined {
  const text = valueOf(metadata.annotations, RESTORE_SOURCE_ANNOTATION);
  try {
    return text === undefined ? undefined : Signed.safeParse(JSON.parse(text)).data;
  } catch {
    return undefined;
  }
}

// It begins like no other text that is signed with the key.
function canonical(source: RestoreSource, { namespace, spec }: RestorePurpose): string {
  const { name, driver, handle, local, backup, snapshotClass } = source;
  const { deletionSecretName, deletionSecretNamespace } = source;
  const { snapshotID, sourceNamespace, targetVolume } = spec;
  return JSON.stringify([
    "restore-source",
    [name, driver, handle, local, backup ?? null, snapshotClass ?? null],
    [deletionSecretName ?? null, deletionSecretNamespace ?? null],
    [namespace, snapshotID ?? null, sourceNamespace ?? null, targetVolume.namespace, targetVolume.pvc],
  ]);
}
