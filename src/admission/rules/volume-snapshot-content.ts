import { VELERO_RESTORE_NAME_LABEL } from "../../kube/keys.ts";
import { valueOf, VolumeSnapshotContent } from "../../kube/objects.ts";
import type { DataUpload, VolumeSnapshot } from "../../kube/objects.ts";
import { editsOf, inheritableLabels, inheritanceOf } from "../inherit.ts";
import { readInherited } from "../inherited.ts";
import type { Inherited } from "../inherited.ts";
import type { KnownOriginal, Lookup } from "../lookup.ts";
import { unchanged } from "../outcome.ts";
import type { Outcome } from "../outcome.ts";
import { protect, removeForged, SNAPSHOT_KEYS } from "../protect.ts";
import type { Request, Rule, Surroundings } from "../rule.ts";

/** What the decision about a VolumeSnapshotContent needs to know of other objects. */
export interface ContentRelated {
  readonly snapshot?: VolumeSnapshot | undefined;
  readonly dataUpload?: DataUpload | undefined;
  readonly original?: KnownOriginal | undefined;
}

/**
 * The content of Velero's snapshot gets its VolumeSnapshot's labels; clones get all labels of their original;
 * Velero's temporary contents and native restores are left exactly as they are.
 */
export const volumeSnapshotContentRule: Rule<VolumeSnapshotContent, ContentRelated> = {
  schema: VolumeSnapshotContent,
  gather,
  decide,
};

async function gather(
  request: Request<VolumeSnapshotContent>,
  lookup: Lookup,
  { policy }: Surroundings,
): Promise<ContentRelated> {
  if (request.operation === "UPDATE" || request.account === "own" || leftAlone(request) !== undefined) {
    return {};
  }
  const { source, volumeSnapshotRef: ref, driver } = request.object.spec;
  const namespace = ref.namespace ?? "";
  if (source.snapshotHandle === undefined) {
    return { snapshot: await lookup.volumeSnapshot(namespace, ref.name ?? "") };
  }
  return {
    original: lookup.originalByHandle(driver, source.snapshotHandle),
    dataUpload: policy.velero.namespaces.includes(namespace)
      ? await lookup.dataUpload(namespace, request.name)
      : undefined,
  };
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
    labels: inheritableLabels(request.object.metadata.labels),
  };
  return { code: "labelled", edits: editsOf(document, signer) };
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
  { dataUpload, original }: ContentRelated,
  { signer, policyLocation }: Surroundings,
): Outcome {
  // Only a data mover copies a document in good faith; from anyone else it may be another volume's.
  const byMover = request.account === "velero" || request.account === "data-mover";
  const inherited = inheritanceOf("VolumeSnapshotContent", {
    original,
    annotation: byMover ? readInherited(request.object.metadata, signer) : undefined,
    dataUpload: readInherited(dataUpload?.metadata, signer),
  });
  if (inherited === undefined) {
    return removeForged(request, policyLocation) ?? unchanged("no_original");
  }
  return { code: "inherited", edits: editsOf(inherited, signer) };
}
