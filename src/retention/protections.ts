import { PIN_LABEL } from "../kube/keys.ts";
import { valueOf } from "../kube/objects.ts";
import { handleKey } from "../kube/originals.ts";
import { isOurs } from "../restore/hand-back.ts";
import { claimedSource } from "../restore/source.ts";
import type { BackupState } from "./backup-state.ts";
import { isRunning } from "./lifecycle.ts";
import type { Course } from "./lifecycle.ts";
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
  /** Snapshots (driver and handle) that a restore under way uses, or is about to. */
  readonly restored: ReadonlySet<string>;
}

/** One thing that protects a snapshot. */
interface Protection {
  readonly reason: KeptReason;
  readonly holds: (snapshot: StorageSnapshot, surroundings: Surroundings, course: Course) => boolean;
}

const PROTECTIONS: readonly Protection[] = [
  { reason: "pinned", holds: isPinned },
  { reason: "in_restore", holds: isRestored },
  { reason: "source_of_claim", holds: isSource },
  { reason: "shared_handle", holds: sharesHandle },
];

/** What protects a snapshot from everything: the limits, its failure, the deletion of its Backup; undefined for nothing. */
export function shieldOf(
  snapshot: StorageSnapshot,
  surroundings: Surroundings,
  course: Course,
): KeptReason | undefined {
  return PROTECTIONS.find(({ holds }) => holds(snapshot, surroundings, course))?.reason;
}

/** Whether its Backup protects a snapshot from the limits, though not from failing. */
export function isInProgress({ identity }: StorageSnapshot, backup: BackupState): boolean {
  return backup.kind === "in_progress" || isRunning(identity.upload);
}

/** Whether somebody pinned it: any value but "false", since whoever writes the label means it. */
export function isPinned({ content, vanished }: StorageSnapshot): boolean {
  const value = valueOf((content ?? vanished)?.metadata.labels, PIN_LABEL);
  return value !== undefined && value !== "false";
}

function isRestored({ key }: StorageSnapshot, { restored }: Surroundings): boolean {
  return restored.has(key);
}

function isSource({ key }: StorageSnapshot, { sources }: Surroundings): boolean {
  return sources.has(key);
}

/**
 * Freeing one of two contents would take the snapshot from the other. The original of one that goes is no reason to keep
 * it: nobody reads from it any more, and it goes first.
 */
function sharesHandle(
  { driver, handle, content, original }: StorageSnapshot,
  { relations }: Surroundings,
  { kind }: Course,
): boolean {
  if (driver === undefined || handle === undefined) {
    return false;
  }
  const own = kind === "going" ? [content, original] : [content ?? original];
  return relations.contentsOf(driver, handle).some((other) => !own.includes(other));
}

/** The snapshots, as driver and handle, that DataDownloads of ours which are not over are restored from. */
export function restoredOf({ world }: Relations): ReadonlySet<string> {
  const sources = world.dataDownloads.filter(isOurs).map(claimedSource);
  return new Set(
    sources.filter((source) => source !== undefined).map(({ driver, handle }) => handleKey(driver, handle)),
  );
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
