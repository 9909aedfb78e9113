import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import * as z from "zod";
import { availableBinaries } from "../cluster/availability.ts";
import { startCluster } from "../cluster/cluster.ts";
import type { Cluster } from "../cluster/cluster.ts";
import { startVelero } from "../cluster/velero.ts";
import type { Velero } from "../cluster/velero.ts";
import { createApi } from "./api.ts";
import type { Api, Stored } from "./api.ts";
import { eventually } from "./eventually.ts";
import { veleroLabel } from "./objects.ts";
import { installProduct } from "./product.ts";
import type { Product } from "./product.ts";
import { createVolume, snapshotsOf, uploadsOf } from "./real-velero.ts";
import { aContent } from "./velero.ts";

/** The webhook alone, as it meets the objects that Velero's own exposer makes. */
const { binaries, skip } = await availableBinaries("all");

const ALIAS = "velero.io/snapshot-alias-name";
const VOLUME = "velero.io/snapshot-volume-name";
const BACKUP = "snapshot-retainer.io/backup-name";
const RETAIN = "snapshot-retainer.io/retain";

describe("the webhook in front of Velero", { skip, timeout: 240_000 }, () => {
  let cluster: Cluster;
  let api: Api;
  let velero: Velero;
  let product: Product;

  before(async () => {
    cluster = await startCluster({ ...(binaries && { binaries }) });
    [velero, product, api] = await Promise.all([
      startVelero(cluster, { nodes: 2 }),
      installProduct(cluster, { policy: { snapshotsToRetain: 3 } }),
      createApi(cluster),
    ]);
  });
  after(async () => {
    await product.stop();
    await velero.stop();
    await cluster.stop();
  });

  test("marks everything that a backup makes; without a controller nothing is kept", async () => {
    const volumes = await Promise.all(
      ["data", "logs"].map(async (name) => createVolume(api, { namespace: "shop", name })),
    );
    velero.setMoverBehaviour("hang");
    // More than fits into a label value.
    const name = `nightly-${"of-the-shop-and-of-all-that-belongs-to-it-".repeat(2)}1`;
    await velero.beginBackup(name, { namespaces: ["shop"] });
    const uploads = await eventually("both volumes are being copied", async () => {
      const found = await uploadsOf(api, name);
      assert.deepEqual(
        found.map(({ status }) => status["phase"]),
        ["InProgress", "InProgress"],
      );
      return found;
    });
    const aliases = await Promise.all(uploads.map(async (upload) => checkMarks(upload, name)));
    assert.equal(new Set(aliases).size, 2, "each snapshot has an alias of its own");

    velero.setMoverBehaviour("ok");
    assert.equal((await velero.ended(name)).phase, "Completed");
    for (const volume of volumes) assert.deepEqual(await snapshotsOf(cluster.array, volume), []);
  });

  /** Checks what an upload and its clones carry, and returns the alias that they share. */
  async function checkMarks(upload: Stored, backup: string): Promise<string | undefined> {
    const clone = await api.read(aContent(upload.metadata.name));
    const snapshot = await api.read({
      apiVersion: "snapshot.storage.k8s.io/v1",
      kind: "VolumeSnapshot",
      metadata: { name: upload.metadata.name, namespace: "velero" },
    });
    const claim = z.string().parse(upload.spec["sourcePVC"]);
    const alias = upload.metadata.labels[ALIAS];
    for (const { metadata } of [upload, clone, snapshot]) {
      assert.equal(metadata.labels[VOLUME], `shop.${claim}`);
      assert.equal(metadata.labels[ALIAS], alias);
    }
    assert.equal(clone.metadata.labels[BACKUP], veleroLabel(backup));
    assert.equal(upload.metadata.annotations[RETAIN], "true");
    assert.equal(clone.spec["deletionPolicy"], "Delete", "nobody is there who could ever free it");
    return alias;
  }
});
