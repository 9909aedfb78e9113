import { labelsOf } from "../admission/inherit.ts";
import { identityLabels } from "../admission/inherited.ts";
import type { Inherited } from "../admission/inherited.ts";
import { decisionAnnotations } from "../admission/retain.ts";
import { ALIAS_LABEL, LIMIT_ANNOTATION, VELERO_SCHEDULE_NAME_LABEL } from "../kube/keys.ts";
import { valueOf } from "../kube/objects.ts";
import type { Metadata } from "../kube/objects.ts";
import { backupNumber } from "../policy/limit.ts";
import type { RetentionPolicy } from "../policy/schema.ts";
import { backupStateOf } from "./backup-state.ts";
import type { Entry } from "./entry.ts";
import type { Limits } from "./facts.ts";
import { identityOf } from "./identify.ts";
import { isRunning } from "./lifecycle.ts";
import { referenceTo } from "./objects.ts";
import type { Backup, DataUpload } from "./objects.ts";
import type { Mend } from "./plan.ts";
import type { Relations } from "./relations.ts";
import { documentFor } from "./retained-document.ts";
import type { StorageSnapshot } from "./storage-snapshot.ts";

/**
 * What the webhook would have written at CREATE onto the objects of a snapshot on its way, where it did not see them. What only
 * Velero's label claims to be Velero's gets nothing before its DataUpload is there: a tenant can write that label, and we would
 * sign for it.
 */
export function mendSnapshot(entry: Entry, relations: Relations, policy: RetentionPolicy): Mend[] {
  const snapshot = proven(entry.snapshot, relations, policy);
  const { upload, backup } = snapshot?.identity ?? {};
  const namespace = upload?.metadata.namespace ?? backup?.namespace ?? "";
  if (
    snapshot === undefined ||
    entry.course.kind !== "in_flight" ||
    !policy.velero.namespaces.includes(namespace)
  ) {
    return [];
  }
  const document = documentFor(snapshot, relations);
  return [
    mendUpload(snapshot, entry.limits, document, relations),
    ...mendSnapshots(snapshot, document, relations),
  ].filter((action) => action !== undefined);
}

function proven(
  snapshot: StorageSnapshot,
  relations: Relations,
  policy: RetentionPolicy,
): StorageSnapshot | undefined {
  const { identity, originalSnapshot } = snapshot;
  if (identity.evidence !== "backup_label") {
    return snapshot;
  }
  const { namespace = "", name = "" } = originalSnapshot?.metadata ?? {};
  const [upload] = relations.uploadsOf(namespace, name);
  const known = upload && identityOf(upload, relations, policy);
  return known?.volume.name === identity.volume.name ? { ...snapshot, identity: known } : undefined;
}

function mendUpload(
  snapshot: StorageSnapshot,
  { number, ceiling }: Limits,
  document: Inherited,
  relations: Relations,
): Mend | undefined {
  const { upload } = snapshot.identity;
  if (upload === undefined || !isRunning(upload) || relations.document(upload.metadata) !== undefined) {
    return undefined;
  }
  const limit = ceiling !== undefined && ceiling.number < number.number ? ceiling : number;
  return mend("DataUpload", upload.metadata, {
    key: snapshot.name,
    labels: identityLabels(document),
    // A number for want of a fact is no decision.
    annotations: number.uncertain ? {} : decisionAnnotations(limit),
    document,
  });
}

function mendSnapshots(
  { name, identity, content, original, originalSnapshot }: StorageSnapshot,
  document: Inherited,
  relations: Relations,
): (Mend | undefined)[] {
  const clone = content === undefined ? undefined : cloneOf(identity.upload, relations);
  return (
    [
      ["VolumeSnapshotContent", original?.metadata],
      ["VolumeSnapshot", originalSnapshot?.metadata],
      ["VolumeSnapshot", clone?.metadata],
    ] as const
  ).map(([kind, metadata]) => {
    if (metadata === undefined || valueOf(metadata.labels, ALIAS_LABEL) !== undefined) {
      return undefined;
    }
    const own = relations.document(metadata);
    const inherited = own ?? { ...document, kind, labels: document.kind === kind ? document.labels : {} };
    const labels = labelsOf({ ...inherited, kind });
    return mend(kind, metadata, { key: name, labels, document: own === undefined ? inherited : undefined });
  });
}

/** Velero's own mover calls it like the DataUpload. */
function cloneOf(upload: DataUpload | undefined, relations: Relations): ReturnType<Relations["snapshot"]> {
  const { namespace = "", name = "" } = upload?.metadata ?? {};
  return relations.snapshot(namespace, name);
}

/** The number for each Backup under way that has none. One that a user wrote stays: nobody could tell it from the policy's of that time. */
export function mendBackups(relations: Relations, policy: RetentionPolicy, now: number): Mend[] {
  return relations.world.backups.flatMap((backup) => {
    const { namespace = "", name = "", labels, annotations } = backup.metadata;
    const isWanted =
      valueOf(annotations, LIMIT_ANNOTATION) === undefined &&
      policy.velero.namespaces.includes(namespace) &&
      backup.spec?.snapshotMoveData !== false &&
      isUnderWay(backup, relations, now);
    if (!isWanted) {
      return [];
    }
    const { number } = backupNumber(policy, valueOf(labels, VELERO_SCHEDULE_NAME_LABEL));
    const found = mend("Backup", backup.metadata, {
      key: `Backup ${namespace}/${name}`,
      annotations: { [LIMIT_ANNOTATION]: String(number) },
    });
    return found === undefined ? [] : [found];
  });
}

function isUnderWay({ metadata }: Backup, relations: Relations, now: number): boolean {
  const { namespace = "", name = "" } = metadata;
  return backupStateOf(relations, { namespace, name }, undefined, now).kind === "in_progress";
}

function mend(
  objectKind: Mend["objectKind"],
  metadata: Metadata,
  what: Pick<Mend, "key"> & Partial<Pick<Mend, "labels" | "annotations" | "document">>,
): Mend | undefined {
  if (typeof metadata.deletionTimestamp === "string") {
    return undefined;
  }
  return {
    kind: "mend",
    labels: {},
    annotations: {},
    document: undefined,
    ...what,
    message: `the webhook did not see this ${objectKind} when it was created`,
    objectKind,
    object: referenceTo(metadata),
  };
}
