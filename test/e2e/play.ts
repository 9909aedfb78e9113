import assert from "node:assert/strict";
import type { Api, Ref, Stored } from "./api.ts";
import { eventually } from "./eventually.ts";
import { aBackup, aDataUpload } from "./objects.ts";
import type { Manifest } from "./objects.ts";
import { aContent, deleteOriginal, expose, takeSnapshot, VELERO } from "./velero.ts";

/** How a played data movement ends. */
export type Ending = "completed" | "failed" | "canceled" | "backup-failed";

/** A backup of one volume that was begun: its snapshot is taken and being copied. */
export interface Movement {
  readonly backup: Ref;
  readonly upload: Stored;
  readonly handle: string;
}

/** What a play may wait for between two steps of Velero. */
export interface Pauses {
  /** The snapshot is on the array; its upload was not asked for yet. */
  readonly taken?: (handle: string) => Promise<void>;
  /** The clone exists and its data is being copied. */
  readonly copying?: (movement: Movement) => Promise<void>;
}

/**
 * Plays one data-mover backup of one volume as Velero 1.18 does it, object by object and as Velero's account, but for the
 * bytes and the waiting: seconds instead of a quarter of a minute.
 */
export async function playBackup(
  api: Api,
  given: { readonly name: string; readonly claim: Stored; readonly ending: Ending; readonly pauses?: Pauses },
): Promise<Movement> {
  const { name, claim, ending, pauses = {} } = given;
  const movement = await beginBackup(api, name, claim, pauses);
  await pauses.copying?.(movement);
  await endBackup(api, movement, ending);
  return movement;
}

/** The first half: until the data is being copied. */
export async function beginBackup(
  api: Api,
  name: string,
  claim: Stored,
  pauses: Pauses = {},
): Promise<Movement> {
  const { object: backup } = await api.create(aBackup({ name }));
  await setPhase(api, backup, "InProgress");
  const original = await takeSnapshot(api, claim, name);
  const handle = original.content.status["snapshotHandle"];
  assert.ok(typeof handle === "string");
  await pauses.taken?.(handle);
  const { object: upload } = await api.create(anUpload(claim, original.snapshot, backup), { as: VELERO });
  await setPhase(api, backup, "WaitingForPluginOperations");
  await setPhase(api, upload, "Accepted");
  await expose(api, original, upload.metadata.name);
  await deleteOriginal(api, original);
  await eventually(`the clone ${upload.metadata.name} is ready`, async () => {
    const clone = await api.read(aContent(upload.metadata.name));
    assert.equal(clone.status["readyToUse"], true);
  });
  await setPhase(api, upload, "InProgress");
  return { backup, upload, handle };
}

/** As Velero's CSI plugin makes it: with its Backup goes the DataUpload. */
export function anUpload(claim: Stored, snapshot: Stored, backup: Stored): Manifest {
  const { apiVersion, kind, metadata } = backup;
  const { name, uid } = metadata;
  const upload = aDataUpload({ backup: name, claim, snapshot: snapshot.metadata.name });
  const ownerReferences = [{ apiVersion, kind, name, uid, controller: true }];
  return { ...upload, metadata: { ...upload.metadata, ownerReferences } };
}

/** The second half: clean-up first and the phase after it, in Velero's order. */
export async function endBackup(api: Api, { backup, upload }: Movement, ending: Ending): Promise<void> {
  const { apiVersion, kind } = VOLUME_SNAPSHOT;
  const clone = { apiVersion, kind, metadata: { name: upload.metadata.name, namespace: "velero" } };
  await api.remove(clone, { as: VELERO });
  await setPhase(api, upload, UPLOAD_PHASES[ending]);
  await setPhase(api, backup, BACKUP_PHASES[ending]);
}

/** `velero backup delete`: the Backup is Deleting until `freed` resolves, then it and its DataUploads are gone. */
export async function deleteBackup(api: Api, backup: Ref, freed: () => Promise<void>): Promise<void> {
  await setPhase(api, backup, "Deleting");
  await freed();
  await api.remove(backup, { as: VELERO });
}

const VOLUME_SNAPSHOT = { apiVersion: "snapshot.storage.k8s.io/v1", kind: "VolumeSnapshot" } as const;
const UPLOAD_PHASES = {
  completed: "Completed",
  failed: "Failed",
  canceled: "Canceled",
  "backup-failed": "Completed",
} as const;
const BACKUP_PHASES = {
  completed: "Completed",
  failed: "PartiallyFailed",
  canceled: "PartiallyFailed",
  "backup-failed": "Failed",
} as const;
const FINAL: readonly string[] = ["Completed", "PartiallyFailed", "Failed", "Canceled"];

/** Sets a phase as Velero does, with the time where it is a final one. */
export async function setPhase(api: Api, ref: Ref, phase: string): Promise<void> {
  const completionTimestamp = FINAL.includes(phase) ? { completionTimestamp: new Date().toISOString() } : {};
  await api.patch(ref, { status: { phase, ...completionTimestamp } }, { as: VELERO });
}
