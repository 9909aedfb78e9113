import {
  INHERITED_ANNOTATION,
  RESERVED_ANNOTATIONS,
  RESERVED_LABELS,
  VELERO_BACKUP_NAME_LABEL,
  VELERO_RESTORE_NAME_LABEL,
} from "../kube/keys.ts";
import type { StringMap } from "../kube/objects.ts";
import { backupLabel, identityLabels, writeInherited } from "./inherited.ts";
import type { Inherited } from "./inherited.ts";
import type { KnownOriginal } from "./lookup.ts";
import type { Edits } from "./patch.ts";
import type { Signer } from "./signer.ts";

/**
 * Labels that must not travel from an original to its clone:
 * - which node's sidecar serves an object (velero issues 8969, 9003), and all else of the snapshot machinery;
 * - what tells a deployer (Helm, Argo CD, Flux) that it owns the object and may prune it;
 * - that the object came from a restore, which is not true of a clone.
 */
const MUST_NOT_TRAVEL = new RegExp(
  [
    /^snapshot\.storage\.kubernetes\.io\//,
    /^app\.kubernetes\.io\/managed-by$/,
    /^argocd\.argoproj\.io\/instance$/,
    /^(kustomize|helm)\.toolkit\.fluxcd\.io\//,
    /^velero\.io\/restore-(name|uid)$/,
  ]
    .map(({ source }) => source)
    .join("|"),
);

const RESERVED: ReadonlySet<string> = new Set(RESERVED_LABELS);

/** The labels of an original that its clones inherit, beside those that identify the snapshot. */
export function inheritableLabels(labels: StringMap | null | undefined): StringMap {
  const inheritable: Record<string, string> = {};
  for (const [key, value] of Object.entries(labels ?? {})) {
    if (!RESERVED.has(key) && !MUST_NOT_TRAVEL.test(key)) {
      inheritable[key] = value;
    }
  }
  return inheritable;
}

/** Where a clone's inheritance may come from; the first that exists gives the identity. */
export interface InheritanceSources {
  /** The original with the same storage handle, alive or remembered: the strongest evidence. */
  readonly original: KnownOriginal | undefined;
  /** The document that the data mover copied onto the clone. */
  readonly annotation: Inherited | undefined;
  /** The document on the DataUpload of the clone's name. */
  readonly dataUpload: Inherited | undefined;
}

/** What a clone inherits, complete with the original's other labels of the same kind; undefined without a source. */
export function inheritanceOf(kind: string, sources: InheritanceSources): Inherited | undefined {
  const { original, annotation, dataUpload } = sources;
  const first = original?.inherited ?? annotation ?? dataUpload;
  if (first === undefined) {
    return undefined;
  }
  const all: Record<string, string> = {};
  let snapshot: Inherited["snapshot"];
  // The strongest evidence comes last.
  for (const document of [dataUpload, annotation, original?.inherited]) {
    if (document?.alias === first.alias) {
      Object.assign(all, document.kind === kind ? document.labels : undefined);
      // Documents of one snapshot know more and more of the storage: its handle comes to be known after the volume.
      snapshot = document.snapshot === undefined ? snapshot : { ...snapshot, ...document.snapshot };
    }
  }
  Object.assign(all, living(kind, original));
  const inherited = { ...first, kind, labels: inheritableLabels(all) };
  return snapshot === undefined ? inherited : { ...inherited, snapshot };
}

const WITHOUT_LABELS = without(RESERVED_LABELS);
const WITHOUT_ANNOTATIONS = without(RESERVED_ANNOTATIONS);

/**
 * The edits that give a clone, or an original, the labels and the document of an inheritance. All other reserved
 * keys are removed: Velero copies a tenant's labels from the PVC onto its snapshot, and annotations onto clones.
 */
export function editsOf(inherited: Inherited, signer: Signer): Edits {
  const labels: Record<string, string | undefined> = { ...WITHOUT_LABELS };
  addLabels(labels, inherited);
  return {
    labels,
    annotations: { ...WITHOUT_ANNOTATIONS, [INHERITED_ANNOTATION]: writeInherited(inherited, signer) },
  };
}

/** The labels that an inheritance gives. */
export function labelsOf(inherited: Inherited): StringMap {
  const labels: Record<string, string> = {};
  addLabels(labels, inherited);
  return labels;
}

/** Into one object: this is done for every request. */
function addLabels(labels: Record<string, string | undefined>, inherited: Inherited): void {
  const onContent = inherited.kind === "VolumeSnapshotContent";
  Object.assign(labels, identityLabels(inherited), onContent ? backupLabel(inherited) : undefined);
  for (const [key, value] of Object.entries(inherited.labels)) {
    // Velero 1.16 and 1.17 delete contents by velero.io/backup-name; ours stands in for it.
    const misleads = onContent && (key === VELERO_BACKUP_NAME_LABEL || key === VELERO_RESTORE_NAME_LABEL);
    if (!misleads && !RESERVED.has(key)) {
      labels[key] = value;
    }
  }
}

function without(keys: readonly string[]): Readonly<Record<string, undefined>> {
  return Object.fromEntries(keys.map((key) => [key, undefined]));
}

function living(kind: string, original: KnownOriginal | undefined): StringMap {
  return original?.inherited.kind === kind ? original.labels : {};
}
