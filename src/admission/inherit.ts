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

/** The labels of an original that its clones inherit, beside those that identify the snapshot. */
export function inheritableLabels(labels: StringMap | null | undefined): StringMap {
  const reserved: readonly string[] = RESERVED_LABELS;
  return Object.fromEntries(
    Object.entries(labels ?? {}).filter(([key]) => !reserved.includes(key) && !MUST_NOT_TRAVEL.test(key)),
  );
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
  const documents = [dataUpload, annotation, original?.inherited].filter(
    (document) => document?.alias === first.alias,
  );
  let labels: StringMap = {};
  for (const document of documents) {
    labels = document?.kind === kind ? { ...labels, ...document.labels } : labels;
  }
  return {
    ...first,
    kind,
    ...snapshotIn(documents),
    labels: inheritableLabels({ ...labels, ...living(kind, original) }),
  };
}

/** What documents of one snapshot know of the storage: the handle comes to be known after the volume. */
function snapshotIn(documents: readonly (Inherited | undefined)[]): Pick<Inherited, "snapshot"> {
  const snapshot = documents
    .map((document) => document?.snapshot)
    .filter((known) => known !== undefined)
    .reduce<Inherited["snapshot"]>((all, known) => ({ ...all, ...known }), undefined);
  return snapshot === undefined ? {} : { snapshot };
}

const WITHOUT_LABELS = without(RESERVED_LABELS);
const WITHOUT_ANNOTATIONS = without(RESERVED_ANNOTATIONS);

/**
 * The edits that give a clone, or an original, the labels and the document of an inheritance. All other reserved
 * keys are removed: Velero copies a tenant's labels from the PVC onto its snapshot, and annotations onto clones.
 */
export function editsOf(inherited: Inherited, signer: Signer): Edits {
  const onContent = inherited.kind === "VolumeSnapshotContent";
  const others = Object.entries(inherited.labels).filter(
    // Velero 1.16 and 1.17 delete contents by velero.io/backup-name; ours stands in for it.
    ([key]) => !(onContent && (key === VELERO_BACKUP_NAME_LABEL || key === VELERO_RESTORE_NAME_LABEL)),
  );
  return {
    labels: {
      ...Object.fromEntries(others),
      ...WITHOUT_LABELS,
      ...identityLabels(inherited),
      ...(onContent ? backupLabel(inherited) : {}),
    },
    annotations: {
      ...WITHOUT_ANNOTATIONS,
      [INHERITED_ANNOTATION]: writeInherited(inherited, signer),
    },
  };
}

function without(keys: readonly string[]): Readonly<Record<string, undefined>> {
  return Object.fromEntries(keys.map((key) => [key, undefined]));
}

function living(kind: string, original: KnownOriginal | undefined): StringMap {
  return original?.inherited.kind === kind ? original.labels : {};
}
