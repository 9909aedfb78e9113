import assert from "node:assert/strict";
import type { Binaries } from "../cluster/build.ts";
import { startCluster } from "../cluster/cluster.ts";
import type { Cluster } from "../cluster/cluster.ts";
import { createApi } from "./api.ts";
import type { Api, Ref, Stored } from "./api.ts";
import { eventually } from "./eventually.ts";
import { readMetric } from "./metrics.ts";
import { aClaim } from "./objects.ts";
import { playBackup } from "./play.ts";
import type { Movement } from "./play.ts";
import { installProduct, NAMESPACE } from "./product.ts";
import type { Product, ReplicaOptions } from "./product.ts";
import { aContent } from "./velero.ts";

/** A volume of an application, on the array. */
export interface Volume {
  readonly claim: Stored;
  /** What the array calls it. */
  readonly arrayVolume: string;
}

/** A cluster with the product and the namespace `shop` in it, and a webhook that runs. */
export interface Scene {
  readonly cluster: Cluster;
  readonly api: Api;
  readonly product: Product;
}

/** Starts it with this policy; no controller runs yet. */
export async function startScene(
  binaries: Binaries | undefined,
  policy: object,
  replica: ReplicaOptions = {},
): Promise<Scene> {
  const cluster = await startCluster({ ...(binaries && { binaries }) });
  try {
    const [product, api] = await Promise.all([
      installProduct(cluster, { policy, replica }),
      createApi(cluster),
    ]);
    await api.create({ apiVersion: "v1", kind: "Namespace", metadata: { name: "shop" } });
    return { cluster, api, product };
  } catch (error) {
    await cluster.stop();
    throw error;
  }
}

/** A claim in the namespace `shop`, bound, with its name as a label for rules. */
export async function createVolume(api: Api, name: string, storageClassName = "array"): Promise<Volume> {
  const labels = { "shop/claim": name };
  const { object } = await api.create(aClaim({ name, namespace: "shop", labels, storageClassName }));
  const claim = await eventually(`${name} is bound`, async () => {
    const now = await api.read(object);
    assert.equal(now.status["phase"], "Bound");
    return now;
  });
  const metadata = { name: textOf(claim.spec["volumeName"]) };
  const { csi } = (await api.read({ apiVersion: "v1", kind: "PersistentVolume", metadata })).spec;
  assert.ok(typeof csi === "object" && csi !== null && "volumeHandle" in csi);
  return { claim, arrayVolume: textOf(csi["volumeHandle"]) };
}

/** Resolves when the controllers have a leader. */
export async function somebodyLeads(product: Product): Promise<void> {
  await eventually("somebody leads", async () => {
    assert.equal(await readMetric(product.runningControllers(), "snapshot_retainer_leader"), 1);
  });
}

/** Resolves when the DataUpload says what is retained of it. */
export async function isRecorded(api: Api, upload: Ref): Promise<void> {
  await eventually(`${upload.metadata.name} is recorded`, async () => {
    assert.ok("dataMoverResult" in (await api.read(upload)).status);
  });
}

/** Plays a backup of a volume, in which copying takes as long as it has to, and resolves when its snapshot is retained. */
export async function backUp(api: Api, { claim }: Volume, name: string): Promise<Movement> {
  const pauses = { copying: async ({ upload }: Movement) => isRecorded(api, upload) };
  const movement = await playBackup(api, { name, claim, ending: "completed", pauses });
  await eventually(`${name} is retained`, async () => {
    const { labels } = (await api.read(aContent(movement.upload.metadata.name))).metadata;
    assert.equal(labels["snapshot-retainer.io/retained"], "true");
  });
  return movement;
}

/** The handles of a volume's snapshots that the array holds, oldest first. */
export async function snapshotsOf(cluster: Cluster, { arrayVolume }: Volume): Promise<string[]> {
  const states = await Promise.all(cluster.arrays.map(async (array) => array.state()));
  return states
    .flatMap(({ snapshots }) => snapshots)
    .filter(({ sourceVolume }) => sourceVolume === arrayVolume)
    .toSorted((a, b) => (a.created < b.created ? -1 : 1))
    .map(({ id }) => id);
}

/** Resolves when the array holds exactly these snapshots of a volume. */
export async function holds(cluster: Cluster, volume: Volume, wanted: readonly string[]): Promise<void> {
  await eventually(`the array holds ${wanted.length} snapshots`, async () => {
    assert.deepEqual(await snapshotsOf(cluster, volume), wanted);
  });
}

/** How often the array deleted this snapshot. */
export async function deletionsOf(cluster: Cluster, handle: string): Promise<number> {
  const { log } = await cluster.array.state();
  return log.filter(({ operation, id }) => operation === "DeleteSnapshot" && id === handle).length;
}

/** The reasons of the Events about an object. */
export async function eventsOf(api: Api, { kind, metadata }: Ref): Promise<string[]> {
  const query = `fieldSelector=involvedObject.kind=${kind},involvedObject.name=${metadata.name ?? ""}`;
  const events = await api.list("v1", "Event", query);
  return events.map((event) => textOf(event["reason"]));
}

/** The Lease of the controllers. */
export const LEASE: Ref = {
  apiVersion: "coordination.k8s.io/v1",
  kind: "Lease",
  metadata: { name: "snapshot-retainer-controller", namespace: NAMESPACE },
};

/** Who leads, as the Lease says; empty for nobody. */
export async function leaderOf(api: Api): Promise<string> {
  return textOf((await api.find(LEASE))?.spec["holderIdentity"] ?? "");
}

function textOf(value: unknown): string {
  assert.ok(typeof value === "string");
  return value;
}
