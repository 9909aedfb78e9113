import assert from "node:assert/strict";
import { availableBinaries } from "../cluster/availability.ts";
import { startCluster } from "../cluster/cluster.ts";
import type { Cluster } from "../cluster/cluster.ts";
import type { DriverOptions } from "../cluster/csi-driver.ts";
import type { StorageArray } from "../cluster/storage-array.ts";
import { startVelero } from "../cluster/velero.ts";
import type { Velero, VeleroOptions } from "../cluster/velero.ts";
import { createApi } from "./api.ts";
import type { Api, Stored } from "./api.ts";
import { eventually, PATIENCE_MS } from "./eventually.ts";
import { installProduct } from "./product.ts";
import type { Product } from "./product.ts";
import { createVolume, snapshotsOf, takenOf, uploadsOf } from "./real-velero.ts";
import type { Volume, VolumeOptions } from "./real-velero.ts";

export { PATIENCE_MS };

/** Everything that a test of retention needs: the real Velero, the webhook, the controller, and arrays to look at. */
export interface Bed {
  readonly cluster: Cluster;
  readonly api: Api;
  readonly product: Product;
  /** The one in the namespace "velero". */
  readonly velero: Velero;
  /** Of another namespace, where one was asked for. */
  readonly others: readonly Velero[];
  /** Makes a volume on the array of its storage class. */
  volume(options: VolumeOptions): Promise<BedVolume>;
  stop(): Promise<void>;
}

/** A volume with the array that it is on. */
export interface BedVolume extends Volume {
  readonly array: StorageArray;
}

/** What a bed is made of. */
export interface BedOptions {
  /** The chart's `policy` value. */
  readonly policy: object;
  readonly drivers?: readonly DriverOptions[];
  readonly velero?: VeleroOptions;
  /** Further installations of Velero, each with a namespace of its own. */
  readonly others?: readonly VeleroOptions[];
}

/** What the tests of retention need to have been built, or why they are skipped. */
export const available = await availableBinaries("all");

/** Starts all of it; returns when backups can be made, with a controller that acts. */
export async function startBed(options: BedOptions): Promise<Bed> {
  const { drivers } = options;
  const { binaries } = available;
  const cluster = await startCluster({ ...(binaries && { binaries }), ...(drivers && { drivers }) });
  const stops: (() => Promise<void>)[] = [];
  async function stop(): Promise<void> {
    await Promise.all(stops.map(async (each) => each()));
    await cluster.stop({ keep: process.env["KEEP"] === "1" });
  }
  try {
    const installed = await installOn(cluster, options, stops);
    return {
      cluster,
      ...installed,
      volume: async (wanted) => bedVolume(cluster, installed.api, wanted),
      stop,
    };
  } catch (error) {
    await stop();
    throw error;
  }
}

type Installed = Pick<Bed, "api" | "product" | "velero" | "others">;

async function installOn(
  cluster: Cluster,
  { policy, velero = {}, others = [] }: BedOptions,
  stops: (() => Promise<void>)[],
): Promise<Installed> {
  async function startProduct(): Promise<Product> {
    const product = await installProduct(cluster, { policy });
    stops.push(async () => product.stop());
    await (await product.startController()).ready();
    return product;
  }
  async function start(wanted: VeleroOptions): Promise<Velero> {
    const started = await startVelero(cluster, { nodes: 3, ...wanted });
    stops.push(async () => started.stop());
    return started;
  }
  const [product, first, rest, api] = await Promise.all([
    startProduct(),
    start(velero),
    Promise.all(others.map(start)),
    createApi(cluster),
  ]);
  return { product, velero: first, others: rest, api };
}

async function bedVolume(cluster: Cluster, api: Api, wanted: VolumeOptions): Promise<BedVolume> {
  const { storageClassName = "array" } = wanted;
  const array = cluster.arrays.find(({ classNames }) => classNames.includes(storageClassName));
  assert.ok(array, `no array has the storage class ${storageClassName}`);
  return { ...(await createVolume(api, wanted)), array };
}

/** Backs up and expects the Backup to complete. */
export async function backUp(velero: Velero, name: string, ...namespaces: string[]): Promise<void> {
  assert.deepEqual(await velero.backup(name, { namespaces }), { name, phase: "Completed", errors: 0 });
}

/**
 * Resolves when the array holds exactly these of the snapshots that it ever took of a volume, which are counted from 1, the
 * first one.
 */
export async function holds(volume: BedVolume, ...numbers: number[]): Promise<void> {
  const { namespace, name } = volume.claim.metadata;
  await eventually(
    `the array holds the snapshots ${numbers.join(", ")} of ${namespace}/${name}`,
    async () => {
      const [taken, held] = await Promise.all([
        takenOf(volume.array, volume),
        snapshotsOf(volume.array, volume),
      ]);
      assert.deepEqual(
        held.map((id) => taken.indexOf(id) + 1),
        numbers,
      );
    },
    PATIENCE_MS,
  );
}

/** The only upload of a Backup, when it has come to one of these phases; "" is the first one. */
export async function uploadIn({ api }: Bed, backup: string, ...phases: string[]): Promise<Stored> {
  return eventually(
    `the upload of ${backup} is ${phases.join(" or ")}`,
    async () => {
      const [upload] = await uploadsOf(api, backup);
      const { phase = "" } = upload?.status ?? {};
      assert.ok(typeof phase === "string" && phases.includes(phase));
      assert.ok(upload);
      return upload;
    },
    PATIENCE_MS,
  );
}
