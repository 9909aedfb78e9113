import assert from "node:assert/strict";
import * as z from "zod";
import type { StorageArray } from "../cluster/storage-array.ts";
import type { Api, Stored } from "./api.ts";
import { eventually } from "./eventually.ts";
import { aClaim, veleroLabel } from "./objects.ts";
import type { Manifest } from "./objects.ts";

/** An application's volume: its claim, and what the array calls it. */
export interface Volume {
  readonly claim: Stored;
  readonly handle: string;
}

/** Which volume to make. */
export interface VolumeOptions {
  readonly namespace: string;
  readonly name: string;
  readonly storageClassName?: string;
  readonly labels?: Readonly<Record<string, string>>;
  readonly volumeMode?: "Block";
}

/** Creates a claim, in a namespace that is made where it is missing, and waits until the array has made its volume. */
export async function createVolume(api: Api, options: VolumeOptions): Promise<Volume> {
  const { volumeMode, ...given } = options;
  const namespace = { apiVersion: "v1", kind: "Namespace", metadata: { name: options.namespace } };
  // Several volumes of one namespace may be made at once.
  if ((await api.find(namespace)) === undefined) await api.create(namespace).catch(() => undefined);
  const claim = aClaim(given);
  const manifest: Manifest = { ...claim, spec: { ...claim.spec, ...(volumeMode && { volumeMode }) } };
  await api.create(manifest);
  return eventually(`${options.namespace}/${options.name} is bound`, async () => {
    const stored = await api.read(manifest);
    const { phase } = stored.status;
    const { volumeName } = stored.spec;
    assert.ok(phase === "Bound" && typeof volumeName === "string");
    const { spec } = await api.read({
      apiVersion: "v1",
      kind: "PersistentVolume",
      metadata: { name: volumeName },
    });
    return { claim: stored, handle: WithHandle.parse(spec["csi"]).volumeHandle };
  });
}

const WithHandle = z.object({ volumeHandle: z.string() });

/** Ids of the snapshots that the array holds of a volume, oldest first. */
export async function snapshotsOf(array: StorageArray, { handle }: Volume): Promise<string[]> {
  const { snapshots } = await array.state();
  return snapshots
    .filter(({ sourceVolume }) => sourceVolume === handle)
    .toSorted((a, b) => a.created.localeCompare(b.created))
    .map(({ id }) => id);
}

/** The DataUploads of a Backup. */
export async function uploadsOf(api: Api, backup: string): Promise<Stored[]> {
  const selector = `labelSelector=velero.io/backup-name=${veleroLabel(backup)}`;
  return api.list("velero.io/v2alpha1", "DataUpload", selector);
}

/** Ids of all snapshots that the array ever took of a volume, in order. */
export async function takenOf(array: StorageArray, { handle }: Volume): Promise<string[]> {
  const { log } = await array.state();
  return log.flatMap(({ operation, volume, id }) =>
    operation === "CreateSnapshot" && volume === handle && id !== undefined ? [id] : [],
  );
}
