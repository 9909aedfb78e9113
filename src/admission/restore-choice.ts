import {
  RELEASED_ANNOTATION,
  RELEASED_AT_ANNOTATION,
  RETAIN_ANNOTATION,
  VELERO_BACKUP_NAME_LABEL,
} from "../kube/keys.ts";
import type { DataUploadResult } from "../kube/data-upload-result.ts";
import { valueOf } from "../kube/objects.ts";
import type { DataUpload, VolumeSnapshotContent } from "../kube/objects.ts";
import type { RestoreSource } from "../restore/source.ts";
import { GOING_REASONS } from "../retention/reasons.ts";
import { readInherited } from "./inherited.ts";
import type { MovedData } from "./lookup.ts";
import { contentOf, flawOf, localSource } from "./retained-content.ts";
import type { WantedSnapshot } from "./retained-content.ts";
import type { Surroundings } from "./rule.ts";

/** What is known of a claim's retained snapshots when it is restored. */
export interface RestoreFacts {
  /** The retained contents of the claim, of any backup. */
  readonly candidates: readonly VolumeSnapshotContent[];
  /** The DataUpload that moved the data, where it is still there. */
  readonly upload: DataUpload | undefined;
  /** What the backup says of the data; asked for only where the DataUpload does not tell. */
  readonly results: readonly DataUploadResult[];
  /** Why the backup could not be asked. */
  readonly problem?: string;
}

/** Where a volume is restored from; `why` continues "by data movement: …". */
export type RestoreChoice =
  | { readonly kind: "retained"; readonly source: RestoreSource }
  | { readonly kind: "moved"; readonly why: string };

/**
 * The retained snapshot of exactly this data, if it can be restored from. The DataUpload says which snapshot it moved; where
 * it is gone, its backup does. Of another cluster's snapshots nothing but the backup knows.
 */
export function chooseRestore(
  data: MovedData,
  facts: RestoreFacts,
  { policy, signer }: Pick<Surroundings, "policy" | "signer">,
): RestoreChoice {
  const { upload, candidates } = facts;
  const pruned = prunedAs(upload);
  if (pruned !== undefined) {
    return { kind: "moved", why: pruned };
  }
  const wanted = wantedSnapshot(data, facts, { signer });
  const content = wanted && contentOf(wanted, data.claim, { candidates, signer });
  if (content !== undefined) {
    const flaw = flawOf(content);
    return flaw === undefined
      ? { kind: "retained", source: localSource(content, signer) }
      : { kind: "moved", why: flaw };
  }
  // One that was taken in this cluster, and is not retained in it, is retained nowhere.
  const elsewhere =
    policy.restore.acrossClusters && upload === undefined ? elsewhereOf(data, facts) : undefined;
  return elsewhere === undefined
    ? { kind: "moved", why: absence(data, facts) }
    : { kind: "retained", source: elsewhere };
}

/** Which snapshot a DataUpload moved, as its signed document says; undefined where it does not tell. */
export function snapshotOfUpload(
  upload: DataUpload | undefined,
  { claim }: MovedData,
  { signer }: Pick<Surroundings, "signer">,
): WantedSnapshot | undefined {
  const document = readInherited(upload?.metadata, signer);
  const isClaims = document?.volume.namespace === claim.namespace && document.volume.name === claim.name;
  return document === undefined || !isClaims
    ? undefined
    : { alias: document.alias, driver: document.snapshot?.driver, handle: document.snapshot?.handle };
}

function wantedSnapshot(
  data: MovedData,
  facts: RestoreFacts,
  surroundings: Pick<Surroundings, "signer">,
): WantedSnapshot | undefined {
  const ofUpload = snapshotOfUpload(facts.upload, data, surroundings);
  if (ofUpload !== undefined) {
    return ofUpload;
  }
  const { alias, driver, snapshotHandle: handle } = recordIn(data, facts) ?? {};
  // An alias is unique; so are a driver and a handle, but neither of these alone.
  const identifies = alias !== undefined || (driver !== undefined && handle !== undefined);
  return identifies ? { alias, driver, handle } : undefined;
}

/** What the controller recorded, as far as the backup says it of exactly this data. */
function recordIn(
  { snapshotID, claim }: MovedData,
  { results }: RestoreFacts,
): Readonly<Record<string, string | undefined>> | undefined {
  const result = results.find(
    (given) => given.snapshotID === snapshotID && given.sourceNamespace === claim.namespace,
  );
  return result?.dataMoverResult ?? undefined;
}

function elsewhereOf(data: MovedData, facts: RestoreFacts): RestoreSource | undefined {
  const record = recordIn(data, facts) ?? {};
  const { retainedSnapshot: name, driver, snapshotHandle: handle } = record;
  if (name === undefined || driver === undefined || handle === undefined) {
    return undefined;
  }
  const { snapshotClass, deletionSecretName, deletionSecretNamespace } = record;
  return { name, driver, handle, local: false, snapshotClass, deletionSecretName, deletionSecretNamespace };
}

/** In words, when and why the snapshot was let go; undefined where it was not. */
function prunedAs(upload: DataUpload | undefined): string | undefined {
  const annotations = upload?.metadata.annotations;
  const reason = valueOf(annotations, RELEASED_ANNOTATION);
  // Velero deletes by itself what was never to be retained, and that is noted, too.
  if (reason === undefined || valueOf(annotations, RETAIN_ANNOTATION) === "false") {
    return undefined;
  }
  const at = valueOf(annotations, RELEASED_AT_ANNOTATION);
  const meaning = valueOf(GOING_REASONS, reason);
  const sentence = meaning === undefined ? reason : `${reason}: ${meaning}`;
  return `its snapshot was pruned${at === undefined ? "" : ` on ${at}`} (${sentence})`;
}

function absence({ claim }: MovedData, { candidates, upload, problem }: RestoreFacts): string {
  const volume = `${claim.namespace}/${claim.name}`;
  if (problem !== undefined) {
    return `what the backup says of the snapshot of ${volume} could not be read: ${problem}`;
  }
  if (upload !== undefined) {
    return `no snapshot of ${volume} was retained by backup ${backupOf(upload)}`;
  }
  return candidates.length === 0
    ? `no snapshot of ${volume} is retained`
    : `no snapshot of ${volume} was retained by its backup`;
}

function backupOf({ metadata }: DataUpload): string {
  const owner = metadata.ownerReferences?.find(({ kind }) => kind === "Backup");
  return owner?.name ?? valueOf(metadata.labels, VELERO_BACKUP_NAME_LABEL) ?? "of unknown name";
}
