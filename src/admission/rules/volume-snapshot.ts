import {
  ALIAS_LABEL,
  EXCLUDE_FROM_BACKUP_LABEL,
  VELERO_BACKUP_NAME_LABEL,
  VELERO_RESTORE_NAME_LABEL,
} from "../../kube/keys.ts";
import { toLabelValue } from "../../kube/label-value.ts";
import { isVolumeSnapshot } from "../../kube/object-checks.ts";
import { valueOf, VolumeSnapshot } from "../../kube/objects.ts";
import type {
  Backup,
  DataUpload,
  Metadata,
  PersistentVolumeClaim,
  VolumeSnapshotContent,
} from "../../kube/objects.ts";
import type { RetentionPolicy } from "../../policy/schema.ts";
import { editsOf, inheritanceOf } from "../inherit.ts";
import { readInherited } from "../inherited.ts";
import type { Inherited } from "../inherited.ts";
import type { KnownOriginal, Lookup } from "../lookup.ts";
import { describeOriginal, volumeNameOf } from "../original.ts";
import { unchanged } from "../outcome.ts";
import type { Outcome } from "../outcome.ts";
import { protect, removeForged, SNAPSHOT_KEYS } from "../protect.ts";
import { gatherRoomFacts } from "../room-facts.ts";
import { askingForRoom, mayAskForRoom } from "../room-needed.ts";
import type { RoomFacts } from "../room-needed.ts";
import type { Request, Rule, Surroundings } from "../rule.ts";

/** What the decision about a VolumeSnapshot needs to know of other objects. */
export interface VolumeSnapshotRelated {
  readonly backup?: Backup | undefined;
  readonly claim?: PersistentVolumeClaim | undefined;
  readonly dataUpload?: DataUpload | undefined;
  readonly content?: VolumeSnapshotContent | undefined;
  readonly original?: KnownOriginal | undefined;
  /** Where room may be asked for. */
  readonly room?: RoomFacts | undefined;
}

/**
 * Velero's snapshots get their alias and volume-name labels and the document for their clones; clones get all
 * labels of their original; anybody else's reserved labels are removed.
 */
export const volumeSnapshotRule: Rule<VolumeSnapshot, VolumeSnapshotRelated> = {
  schema: VolumeSnapshot,
  check: isVolumeSnapshot,
  gather,
  decide,
};

/** What a request is about; see the table in docs/admission.md. */
type Role = "original" | "clone" | "native-restore" | "other";

function roleOf(request: Request<VolumeSnapshot>, surroundings: Surroundings): Role {
  const { labels } = request.object.metadata;
  const { source } = request.object.spec;
  const restored = valueOf(labels, VELERO_RESTORE_NAME_LABEL) !== undefined && request.account === "velero";
  if (restored && source.volumeSnapshotContentName !== undefined) {
    return "native-restore";
  }
  if (source.persistentVolumeClaimName !== undefined) {
    const claimed = valueOf(labels, VELERO_BACKUP_NAME_LABEL) !== undefined;
    return claimed && request.account === "velero" ? "original" : "other";
  }
  const inVeleroNamespace = surroundings.policy.velero.namespaces.includes(request.namespace);
  const mayBeClone = inVeleroNamespace || isByMover(request);
  return source.volumeSnapshotContentName !== undefined && mayBeClone ? "clone" : "other";
}

function isByMover({ account }: Request<VolumeSnapshot>): boolean {
  return account === "velero" || account === "data-mover";
}

async function gather(
  request: Request<VolumeSnapshot>,
  lookup: Lookup,
  surroundings: Surroundings,
): Promise<VolumeSnapshotRelated> {
  if (request.account === "own") {
    return {};
  }
  if (request.operation === "UPDATE" && !isClaimed(request)) {
    return isLateClone(request) ? gatherForClone(request, lookup) : {};
  }
  switch (roleOf(request, surroundings)) {
    case "original":
      return gatherForOriginal(request, lookup, surroundings);
    case "clone":
      return gatherForClone(request, lookup);
    case "native-restore":
    case "other":
      return {};
  }
}

async function gatherForOriginal(
  request: Request<VolumeSnapshot>,
  lookup: Lookup,
  surroundings: Surroundings,
): Promise<VolumeSnapshotRelated> {
  const { policy } = surroundings;
  const label = valueOf(request.object.metadata.labels, VELERO_BACKUP_NAME_LABEL) ?? "";
  const [backup, claim] = await Promise.all([
    lookup.backupByLabel(policy.velero.namespaces, toLabelValue(label)),
    policy.volumeName === "uid"
      ? lookup.persistentVolumeClaim(request.namespace, claimNameOf(request))
      : undefined,
  ]);
  // The members of a group are claimed by an update, when their snapshots were taken already.
  const mayAsk = request.operation === "CREATE" && mayAskForRoom(request, surroundings);
  // A webhook behind ours changed something, and the API server asks once more: room was asked for already.
  const isFirst = readInherited(request.object.metadata, surroundings.signer) === undefined;
  const volume = { namespace: request.namespace, name: claimNameOf(request) };
  return mayAsk && isFirst && backup?.spec?.snapshotMoveData === true
    ? {
        backup,
        claim,
        room: await gatherRoomFacts(lookup, volume, { policy, backup, claim }),
      }
    : { backup, claim };
}

function claimNameOf({ object }: Request<VolumeSnapshot>): string {
  return object.spec.source.persistentVolumeClaimName ?? "";
}

async function gatherForClone(
  request: Request<VolumeSnapshot>,
  lookup: Lookup,
): Promise<VolumeSnapshotRelated> {
  const [dataUpload, content] = await Promise.all([
    lookup.dataUpload(request.namespace, request.name),
    lookup.volumeSnapshotContent(request.object.spec.source.volumeSnapshotContentName ?? ""),
  ]);
  const handle = content?.spec.source.snapshotHandle;
  const original =
    content === undefined || handle === undefined
      ? undefined
      : lookup.originalByHandle(content.spec.driver, handle);
  return { dataUpload, content, original };
}

function decide(
  request: Request<VolumeSnapshot>,
  related: VolumeSnapshotRelated,
  surroundings: Surroundings,
): Outcome {
  if (typeof request.object.metadata.deletionTimestamp === "string") {
    return unchanged("being_deleted");
  }
  if (request.operation === "UPDATE" && !isClaimed(request)) {
    return decideUpdate(request, related, surroundings);
  }
  if (request.account === "own") {
    return unchanged("own_account");
  }
  switch (roleOf(request, surroundings)) {
    case "original":
      return decideOriginal(request, related, surroundings);
    case "clone":
      return decideClone(request, related, surroundings);
    case "native-restore":
      return unchanged("native_restore");
    case "other":
      return removeForged(request, surroundings.policyLocation) ?? unchanged("not_ours");
  }
}

/**
 * A clone may be made before its content, whose handle alone tells what it is a clone of. The snapshot-controller
 * then puts its finalizers on the clone once it found the content: that update is the clone's second chance.
 */
function isLateClone({ operation, object, oldObject }: Request<VolumeSnapshot>): boolean {
  const labelled = valueOf(oldObject?.metadata.labels, ALIAS_LABEL) !== undefined;
  const restored = valueOf(oldObject?.metadata.labels, VELERO_RESTORE_NAME_LABEL) !== undefined;
  const ofContent = object.spec.source.volumeSnapshotContentName !== undefined;
  return operation === "UPDATE" && !labelled && !restored && !isOwn(oldObject?.metadata) && ofContent;
}

/** Whether we made it: whoever says so of his own snapshot only keeps it from labels. */
function isOwn(metadata: Metadata | undefined): boolean {
  return (
    valueOf(metadata?.labels, "app.kubernetes.io/name") === "snapshot-retainer" &&
    valueOf(metadata?.labels, EXCLUDE_FROM_BACKUP_LABEL) === "true"
  );
}

function decideUpdate(
  request: Request<VolumeSnapshot>,
  related: VolumeSnapshotRelated,
  surroundings: Surroundings,
): Outcome {
  const { content, original } = related;
  const ref = content?.spec.volumeSnapshotRef;
  // The content is bound to this very snapshot; anyone may name a content that is not theirs.
  const isBound = ref?.namespace === request.namespace && ref.name === request.name;
  return isLateClone(request) && isBound && original !== undefined
    ? decideClone(request, { original }, surroundings)
    : protect(request, SNAPSHOT_KEYS, surroundings.policyLocation);
}

/** Velero claims a member of a VolumeGroupSnapshot by adding its backup label (velero pvc_action.go). */
function isClaimed(request: Request<VolumeSnapshot>): boolean {
  const before = valueOf(request.oldObject?.metadata.labels, VELERO_BACKUP_NAME_LABEL);
  const now = valueOf(request.object.metadata.labels, VELERO_BACKUP_NAME_LABEL);
  return (
    request.operation === "UPDATE" &&
    request.account === "velero" &&
    before === undefined &&
    now !== undefined
  );
}

function decideOriginal(
  request: Request<VolumeSnapshot>,
  { backup, claim, room }: VolumeSnapshotRelated,
  surroundings: Surroundings,
): Outcome {
  const { policy, signer } = surroundings;
  if (backup?.spec?.snapshotMoveData === false) {
    // Velero copied the labels of the PVC, whose owner may have forged ours.
    return removeForged(request, surroundings.policyLocation) ?? unchanged("does_not_move");
  }
  const { metadata } = request.object;
  const volume = { namespace: request.namespace, name: claimNameOf(request) };
  const volumeName = volumeNameOf(policy, volume, claim?.metadata.uid);
  if (volumeName === undefined) {
    const warning = `snapshot-retainer: PVC ${volume.namespace}/${volume.name} was not found, so this snapshot gets no labels`;
    const forged = removeForged(request, surroundings.policyLocation);
    return { ...(forged ?? unchanged("identity_missing")), warnings: [warning, ...(forged?.warnings ?? [])] };
  }
  const inherited = describeOriginal(
    {
      kind: "VolumeSnapshot",
      volume,
      volumeName,
      backup: backupOf(backup, metadata, policy),
      labels: metadata.labels,
    },
    readInherited(metadata, signer),
    surroundings.randomId,
  );
  const edits = editsOf(inherited, signer);
  return { code: "labelled", edits, ...askingForRoom(inherited, room, policy) };
}

function backupOf(
  backup: Backup | undefined,
  snapshot: Metadata,
  policy: RetentionPolicy,
): Inherited["backup"] {
  return {
    namespace: backup?.metadata.namespace ?? policy.velero.namespaces[0] ?? "velero",
    name: backup?.metadata.name ?? valueOf(snapshot.labels, VELERO_BACKUP_NAME_LABEL) ?? "",
  };
}

function decideClone(
  request: Request<VolumeSnapshot>,
  { dataUpload, content, original }: VolumeSnapshotRelated,
  surroundings: Surroundings,
): Outcome {
  const { signer, policyLocation } = surroundings;
  // Only a data mover copies a document in good faith; from anyone else it may be another volume's.
  const copied = isByMover(request) ? readInherited(request.object.metadata, signer) : undefined;
  const inherited = inheritanceOf("VolumeSnapshot", {
    original,
    annotation: copied ?? readInherited(content?.metadata, signer),
    dataUpload: readInherited(dataUpload?.metadata, signer),
  });
  if (inherited === undefined) {
    return removeForged(request, policyLocation) ?? unchanged("no_original");
  }
  // What the storage knows stands on the content; here it would depend on whether that was there first.
  const { snapshot: _snapshot, ...document } = inherited;
  return { code: "inherited", edits: editsOf(document, signer) };
}
