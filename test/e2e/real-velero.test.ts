import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { availableBinaries } from "../cluster/availability.ts";
import { startCluster } from "../cluster/cluster.ts";
import type { Cluster } from "../cluster/cluster.ts";
import { startVelero } from "../cluster/velero.ts";
import type { Velero } from "../cluster/velero.ts";
import { createApi } from "./api.ts";
import type { Api } from "./api.ts";
import { eventually } from "./eventually.ts";
import { createVolume, snapshotsOf } from "./real-velero.ts";

/** What Velero does by itself: the ground that everything else stands on, and the proof that this bed is like the real one. */
const { binaries, skip } = await availableBinaries("all");

describe("Velero without us", { skip, concurrency: true }, () => {
  let cluster: Cluster;
  let api: Api;
  let velero: Velero;

  before(async () => {
    cluster = await startCluster({ ...(binaries && { binaries }) });
    velero = await startVelero(cluster, { nodes: 3 });
    api = await createApi(cluster);
    velero.setMoverBehaviour(({ claim }) => {
      const [namespace] = claim.split("/");
      return namespace === "fail" || namespace === "cancel" || namespace === "image-pull-failure"
        ? namespace
        : "ok";
    });
  });
  after(async () => {
    await velero.stop();
    await cluster.stop();
  });

  async function backUp(namespace: string) {
    const volume = await createVolume(api, { namespace, name: "data" });
    const ended = await velero.backup(`of-${namespace}`, { namespaces: [namespace] });
    const uploads = await api.list(
      "velero.io/v2alpha1",
      "DataUpload",
      `labelSelector=velero.io/backup-name=of-${namespace}`,
    );
    return { volume, ended, uploads: uploads.map(({ status }) => status["phase"]) };
  }

  test("a data-mover backup completes, and its snapshot is deleted from the array", async () => {
    const { volume, ended, uploads } = await backUp("ok");

    assert.deepEqual(ended, { name: "of-ok", phase: "Completed", errors: 0 });
    assert.deepEqual(uploads, ["Completed"]);
    assert.deepEqual(await snapshotsOf(cluster.array, volume), []);
    const { log } = await cluster.array.state();
    assert.deepEqual(
      log.filter((entry) => entry.volume === volume.handle).map(({ operation }) => operation),
      ["CreateVolume", "CreateSnapshot", "DeleteSnapshot"],
    );
  });

  for (const [behaviour, phase] of [
    ["fail", "Failed"],
    ["cancel", "Canceled"],
    ["image-pull-failure", "Canceled"],
  ] as const) {
    test(`a data mover that ends with "${behaviour}" leaves a ${phase} DataUpload, and no snapshot`, async () => {
      const { volume, ended, uploads } = await backUp(behaviour);

      assert.equal(ended.phase, "PartiallyFailed");
      assert.deepEqual(uploads, [phase]);
      await eventually("the array has deleted it", async () =>
        assert.deepEqual(await snapshotsOf(cluster.array, volume), []),
      );
    });
  }

  test("a deleted backup is gone", async () => {
    await createVolume(api, { namespace: "gone", name: "data" });
    await velero.backup("of-gone", { namespaces: ["gone"] });
    await velero.deleteBackup("of-gone");

    assert.doesNotMatch((await velero.velero(["backup", "get"])).stdout, /of-gone/);
  });
});
