import { PIN_LABEL } from "../kube/keys.ts";
import { valueOf } from "../kube/objects.ts";
import { handleKey } from "../kube/originals.ts";
import type { BackupState } from "./backup-state.ts";
import { isRunning } from "./lifecycle.ts";
import type { PersistentVolumeClaim, VolumeSnapshot, VolumeSnapshotContent } from "./objects.ts";
import { handleOf } from "./relations.ts";
import type { Relations } from "./relations.ts";
import type { KeptReason } from "./reasons.ts";
import type { StorageSnapshot } from "./storage-snapshot.ts";

/** What protects a snapshot depends on. */
export interface Surroundings {
  readonly relations: Relations;
  /** Snapshots (driver and handle) that a PersistentVolumeClaim waits for. */
  readonly sources: ReadonlySet<string>;
  readonly backup: BackupState;
}

/** One thing that protects a snapshot: what it is, in words with the name of it, or undefined. */
interface Protection {
  readonly reason: KeptReason;
  /** `everything`: also from what failed and from what its Backup was deleted of. `limits`: from pruning alone. */
  readonly against: "everything" | "limits";
  readonly holds: (snapshot: StorageSnapshot, surroundings: Surroundings) => boolean;
}

const PROTECTIONS: readonly Protection[] = [
  { reason: "pinned", against: "everything", holds: isPinned },
  { reason: "source_of_claim", against: "everything", holds: isSource },
  { reason: "shared_handle", against: "everything", holds: sharesHandle },
  { reason: "backup_in_progress", against: "limits", holds: isInProgress },
];

/** What protects a snapshot from going because of its own fate, or because of the limits; undefined for nothing. */
export function protectionOf(
  snapshot: StorageSnapshot,
  surroundings: Surroundings,
  from: "fate" | "limits",
): KeptReason | undefined {
  return PROTECTIONS.find(
    ({ against, holds }) => (from === "limits" || against === "everything") && holds(snapshot, surroundings),
  )?.reason;
}

/** Whether somebody pinned it: any value but "false", since whoever writes the label means it. */
export function isPinned({ content, vanished }: StorageSnapshot): boolean {
  const value = valueOf((content ?? vanished)?.metadata.labels, PIN_LABEL);
  return value !== undefined && value !== "false";
}

function isSource({ key }: StorageSnapshot, { sources }: Surroundings): boolean {
  return sources.has(key);
}

/** Freeing one of two contents would take the snapshot from the other. */
function sharesHandle({ driver, handle }: StorageSnapshot, { relations }: Surroundings): boolean {
  return driver !== undefined && handle !== undefined && relations.contentsOf(driver, handle).length > 1;
}

function isInProgress({ identity }: StorageSnapshot, { backup }: Surroundings): boolean {
  return backup.kind === "in_progress" || isRunning(identity.upload);
}

/** The snapshots, as driver and handle, that claims which are not bound yet are to be filled from. */
export function sourcesOf(relations: Relations): ReadonlySet<string> {
  return new Set(
    relations.world.claims
      .filter(({ status }) => status?.phase !== "Bound" && status?.phase !== "Lost")
      .map((claim) => sourceOf(claim, relations))
      .filter((key) => key !== undefined),
  );
}

function sourceOf(claim: PersistentVolumeClaim, relations: Relations): string | undefined {
  const source = claim.spec?.dataSourceRef ?? claim.spec?.dataSource;
  if (source?.kind !== "VolumeSnapshot") {
    return undefined;
  }
  const namespace = source.namespace ?? claim.metadata.namespace ?? "";
  const content = contentOf(relations.snapshot(namespace, source.name), relations);
  const handle = content && handleOf(content);
  return handle === undefined ? undefined : handleKey(content?.spec.driver ?? "", handle);
}

function contentOf(
  snapshot: VolumeSnapshot | undefined,
  relations: Relations,
): VolumeSnapshotContent | undefined {
  const bound = snapshot?.status?.boundVolumeSnapshotContentName;
  return relations.content(bound ?? snapshot?.spec.source.volumeSnapshotContentName ?? "");
}
