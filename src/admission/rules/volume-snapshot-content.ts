import { VELERO_RESTORE_NAME_LABEL } from "../../kube/keys.ts";
import { isVolumeSnapshotContent } from "../../kube/object-checks.ts";
import { valueOf, VolumeSnapshotContent } from "../../kube/objects.ts";
import type { DataUpload, VolumeSnapshot } from "../../kube/objects.ts";
import { editsOf, inheritableLabels, inheritanceOf } from "../inherit.ts";
import { readInherited } from "../inherited.ts";
import type { Inherited } from "../inherited.ts";
import { withFound } from "../lookup.ts";
import type { KnownOriginal, Lookup } from "../lookup.ts";
import { unchanged } from "../outcome.ts";
import type { Outcome } from "../outcome.ts";
import { protect, removeForged, SNAPSHOT_KEYS } from "../protect.ts";
import { decideRetain, hasOtherMover } from "../retain.ts";
import type { Request, Rule, Surroundings } from "../rule.ts";
import type { Signer } from "../signer.ts";

/** What the decision about a VolumeSnapshotContent needs to know of other objects. */
export interface ContentRelated {
  readonly snapshot?: VolumeSnapshot | undefined;
  /** The DataUpload of the content's own name. */
  readonly dataUpload?: DataUpload | undefined;
  /** The DataUpload of another data mover, which names its clones as it likes: of the same storage snapshot. */
  readonly otherUpload?: DataUpload | undefined;
  readonly original?: KnownOriginal | undefined;
}

/**
 * The content of Velero's snapshot gets its VolumeSnapshot's labels; clones get all labels of their original;
 * Velero's temporary contents and native restores are left exactly as they are.
 */
export const volumeSnapshotContentRule: Rule<VolumeSnapshotContent, ContentRelated> = {
  schema: VolumeSnapshotContent,
  check: isVolumeSnapshotContent,
  gather,
  decide,
};

function gather(
  request: Request<VolumeSnapshotContent>,
  lookup: Lookup,
  surroundings: Surroundings,
): ContentRelated | Promise<ContentRelated> {
  if (request.operation === "UPDATE" || request.account === "own" || leftAlone(request) !== undefined) {
    return {};
  }
  const { source, volumeSnapshotRef: ref } = request.object.spec;
  return source.snapshotHandle === undefined
    ? withFound(lookup.volumeSnapshot(ref.namespace ?? "", ref.name ?? ""), (snapshot) => ({ snapshot }))
    : gatherForClone(request, lookup, surroundings);
}

function gatherForClone(
  request: Request<VolumeSnapshotContent>,
  lookup: Lookup,
  { policy, signer }: Surroundings,
): ContentRelated | Promise<ContentRelated> {
  const { source, volumeSnapshotRef: ref, driver } = request.object.spec;
  const { namespaces } = policy.velero;
  const namespace = ref.namespace ?? "";
  const original = lookup.originalByHandle(driver, source.snapshotHandle ?? "");
  const upload = namespaces.includes(namespace) ? lookup.dataUpload(namespace, request.name) : undefined;
  return withFound(upload, (dataUpload) => {
    const alias = dataUpload === undefined ? aliasOf(request, original, signer) : undefined;
    const otherUpload = alias === undefined ? undefined : lookup.dataUploadByAlias(namespaces, alias);
    return { original, dataUpload, otherUpload };
  });
}

/** Which snapshot a clone is of that is not named like its DataUpload, by what its data mover may be believed. */
function aliasOf(
  request: Request<VolumeSnapshotContent>,
  original: KnownOriginal | undefined,
  signer: Signer,
): string | undefined {
  return isByMover(request) ? (original?.inherited ?? copiedBy(request, signer))?.alias : undefined;
}

function decide(
  request: Request<VolumeSnapshotContent>,
  related: ContentRelated,
  surroundings: Surroundings,
): Outcome {
  const code = leftAlone(request);
  if (code !== undefined) {
    return unchanged(code);
  }
  if (request.operation === "UPDATE") {
    return protect(request, SNAPSHOT_KEYS, surroundings.policyLocation);
  }
  if (request.account === "own") {
    return unchanged("own_account");
  }
  return request.object.spec.source.snapshotHandle === undefined
    ? decideOriginal(request, related, surroundings)
    : decideClone(request, related, surroundings);
}

function leftAlone(
  request: Request<VolumeSnapshotContent>,
): "being_deleted" | "temporary_content" | "native_restore" | undefined {
  const { metadata, spec } = request.object;
  if (typeof metadata.deletionTimestamp === "string") {
    return "being_deleted";
  }
  if (isTemporary(spec.volumeSnapshotRef)) {
    return "temporary_content";
  }
  const restored =
    request.account === "velero" && valueOf(metadata.labels, VELERO_RESTORE_NAME_LABEL) !== undefined;
  const isNew = request.operation === "CREATE" && spec.source.snapshotHandle !== undefined;
  return isNew && restored ? "native_restore" : undefined;
}

/**
 * When a backup is deleted, Velero creates a content for each snapshot with a reference to nothing, and deletes it
 * (velero internal/delete/actions/csi/volumesnapshotcontent_action.go). Whatever hinders that leaks a snapshot.
 */
function isTemporary(ref: VolumeSnapshotContent["spec"]["volumeSnapshotRef"]): boolean {
  return /^ns-[0-9a-f-]{36}$/.test(ref.namespace ?? "") && /^name-[0-9a-f-]{36}$/.test(ref.name ?? "");
}

function decideOriginal(
  request: Request<VolumeSnapshotContent>,
  { snapshot }: ContentRelated,
  { signer, policyLocation }: Surroundings,
): Outcome {
  const inherited = readInherited(snapshot?.metadata, signer);
  if (snapshot === undefined || inherited === undefined || !isOf(request.object, snapshot, inherited)) {
    return removeForged(request, policyLocation) ?? unchanged("not_ours");
  }
  const document: Inherited = {
    ...inherited,
    kind: "VolumeSnapshotContent",
    ...volumeOf(request.object),
    labels: inheritableLabels(request.object.metadata.labels),
  };
  return { code: "labelled", edits: editsOf(document, signer) };
}

/** The volume as the storage knows it: its clones, which have no volumeHandle of their own, get to know it by this. */
function volumeOf({ spec }: VolumeSnapshotContent): Pick<Inherited, "snapshot"> {
  const { volumeHandle } = spec.source;
  return volumeHandle === undefined ? {} : { snapshot: { driver: spec.driver, volumeHandle } };
}

/**
 * Whether the document was written for a snapshot of this volume, and not copied onto it from another volume's. It
 * cannot name the one VolumeSnapshot: the API server gives custom resources their UID after admission.
 */
function isOf(content: VolumeSnapshotContent, snapshot: VolumeSnapshot, inherited: Inherited): boolean {
  const { metadata, spec } = snapshot;
  return (
    metadata.uid === content.spec.volumeSnapshotRef.uid &&
    inherited.volume.namespace === metadata.namespace &&
    inherited.volume.name === spec.source.persistentVolumeClaimName
  );
}

function decideClone(
  request: Request<VolumeSnapshotContent>,
  related: ContentRelated,
  surroundings: Surroundings,
): Outcome {
  const { signer, policyLocation } = surroundings;
  const fromUpload = readInherited(related.dataUpload?.metadata, signer);
  const inherited = inheritanceOf("VolumeSnapshotContent", {
    original: related.original,
    annotation: copiedBy(request, signer),
    dataUpload: fromUpload,
  });
  if (inherited === undefined) {
    return removeForged(request, policyLocation) ?? unchanged("no_original");
  }
  const document = { ...inherited, snapshot: snapshotOf(request.object, inherited) };
  const isUploads = fromUpload?.alias === document.alias;
  const upload = isUploads ? related.dataUpload : otherUploadOf(related, document, signer);
  const { code, reason, edits } = decideRetain(request.object, upload, surroundings);
  const own = editsOf(document, signer);
  return {
    code,
    edits: { ...own, ...edits, labels: { ...own.labels, ...edits?.labels } },
    ...(reason === "" ? {} : { audit: { retain: String(code === "retain_set"), reason } }),
    ...(code === "retain_refused"
      ? { warnings: [`snapshot-retainer: ${document.volumeName}: not retained: ${reason}`] }
      : {}),
  };
}

/** What a data mover copied, which it does in good faith; from anyone else it may be another volume's. */
function copiedBy(request: Request<VolumeSnapshotContent>, signer: Signer): Inherited | undefined {
  return isByMover(request) ? readInherited(request.object.metadata, signer) : undefined;
}

function isByMover({ account }: Request<VolumeSnapshotContent>): boolean {
  return account === "velero" || account === "data-mover";
}

/** With the handle that the clone itself has: its document then says which snapshot it was written for. */
function snapshotOf({ spec }: VolumeSnapshotContent, { snapshot }: Inherited): Inherited["snapshot"] {
  const handle = spec.source.snapshotHandle;
  const known = snapshot?.driver === spec.driver ? snapshot : undefined;
  return { ...known, driver: spec.driver, ...(handle === undefined ? {} : { handle }) };
}

/** The DataUpload of another data mover, once its own signed document names the same snapshot. */
function otherUploadOf(
  { otherUpload }: ContentRelated,
  { alias }: Inherited,
  signer: Signer,
): DataUpload | undefined {
  return otherUpload !== undefined &&
    hasOtherMover(otherUpload) &&
    readInherited(otherUpload.metadata, signer)?.alias === alias
    ? otherUpload
    : undefined;
}
