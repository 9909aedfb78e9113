import { RELEASED_LABEL, RESTORE_SOURCE_ANNOTATION, RETAINED_LABEL } from "../kube/keys.ts";
import { valueOf } from "../kube/objects.ts";
import type { RetentionPolicy } from "../policy/schema.ts";
import type { RestoreFacts } from "./facts.ts";

/** A reason to leave a restore to Velero, which continues "handed back to Velero: …"; undefined for none. */
type Obstacle = (facts: RestoreFacts, policy: RetentionPolicy) => string | undefined;

/** What makes a restore from the snapshot impossible, in the order in which it is told: all that needs no target first. */
const OBSTACLES: readonly Obstacle[] = [
  isNotAllowed,
  hasNoSource,
  hasNoRetainedContent,
  hasAnotherHandle,
  isBeingFreed,
  targetIsBound,
  hasNoClass,
  hasAnotherDriver,
  hasAnotherMode,
];

/** The first obstacle to a restore of which nothing was made yet. */
export function obstacleTo(facts: RestoreFacts, policy: RetentionPolicy): string | undefined {
  for (const obstacle of OBSTACLES) {
    const reason = obstacle(facts, policy);
    if (reason !== undefined) return reason;
  }
  return undefined;
}

function isNotAllowed({ source }: RestoreFacts, { restore, mode }: RetentionPolicy): string | undefined {
  if (!restore.fromRetained || mode === "audit") return "the policy does not allow it any more";
  return source?.local === false && !restore.acrossClusters
    ? "the policy does not allow snapshots of another cluster any more"
    : undefined;
}

/** Why there is no source to believe. */
export function hasNoSource({ download, source }: RestoreFacts): string | undefined {
  if (source !== undefined) return undefined;
  return valueOf(download.metadata.annotations, RESTORE_SOURCE_ANNOTATION) === undefined
    ? "it does not say which snapshot to restore from"
    : "the snapshot that it names was not written there by our webhook, for this volume";
}

function hasNoRetainedContent({ source, retained }: RestoreFacts): string | undefined {
  if (source?.local !== true) return undefined;
  return valueOf(retained?.metadata.labels, RETAINED_LABEL) === "true"
    ? undefined
    : `VolumeSnapshotContent ${source.name} is not there any more, or no longer retained`;
}

function hasAnotherHandle({ source, retained }: RestoreFacts): string | undefined {
  const handle = retained?.status?.snapshotHandle ?? retained?.spec.source.snapshotHandle;
  const agrees = handle === source?.handle && retained?.spec.driver === source?.driver;
  return retained === undefined || agrees
    ? undefined
    : `VolumeSnapshotContent ${retained.metadata.name ?? ""} stands for another snapshot now`;
}

function isBeingFreed({ retained }: RestoreFacts): string | undefined {
  if (retained === undefined) return undefined;
  const { metadata, spec } = retained;
  const isGoing =
    typeof metadata.deletionTimestamp === "string" ||
    spec.deletionPolicy !== "Retain" ||
    valueOf(metadata.labels, RELEASED_LABEL) !== undefined;
  return isGoing ? `VolumeSnapshotContent ${metadata.name ?? ""} is being freed` : undefined;
}

function targetIsBound({ target }: RestoreFacts): string | undefined {
  const volume = target?.spec.volumeName ?? "";
  return volume === "" ? undefined : `the claim is bound to ${volume} already`;
}

function hasNoClass({ target, storageClass }: RestoreFacts): string | undefined {
  if (target === undefined || storageClass !== undefined) return undefined;
  const name = target.spec.storageClassName ?? "";
  return name === "" ? "the claim has no storage class" : `there is no storage class ${name}`;
}

function hasAnotherDriver({ source, storageClass }: RestoreFacts): string | undefined {
  const provisioner = storageClass?.provisioner;
  return provisioner === undefined || provisioner === source?.driver
    ? undefined
    : `storage class ${storageClass?.metadata.name ?? ""} is provisioned by ${provisioner}, and the snapshot is of ${source?.driver ?? "?"}`;
}

function hasAnotherMode({ target, retained }: RestoreFacts): string | undefined {
  const mode = retained?.spec.sourceVolumeMode;
  const wanted = target?.spec.volumeMode ?? "Filesystem";
  return target === undefined || typeof mode !== "string" || mode === wanted
    ? undefined
    : `the claim has the volume mode ${wanted}, and the snapshot is of one with ${mode}`;
}
