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
import { downloadsOf, restoredFrom } from "./restore-bed.ts";

/** What Velero does by itself: the ground that everything else stands on, and the proof that this bed is like the real one. */
const { binaries, skip } = await availableBinaries("all");

describe("Velero without us", { skip, concurrency: true }, () => {
  let cluster: Cluster;
  let api: Api;
  let velero: Velero;

  before(async () => {
    cluster = await startCluster({ ...(binaries && { binaries }), drivers: [DRIVER] });
    velero = await startVelero(cluster, { nodes: 3 });
    api = await createApi(cluster);
    velero.setMoverBehaviour(({ kind, restore, claim }) => {
      const name = kind === "DataDownload" ? restore : claim.split("/")[0];
      return name === "fail" || name === "cancel" || name === "image-pull-failure" ? name : "ok";
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

  test("a restore in place and into another namespace moves data to empty volumes", async () => {
    const { volume } = await backUp("restored");
    await api.remove(volume.claim);
    await eventually("the claim is gone", async () => assert.equal(await api.find(volume.claim), undefined));
    const of = { backup: "of-restored" };
    const ended = await Promise.all([
      velero.restore("in-place", of),
      velero.restore("mapped", { ...of, namespaceMappings: { restored: "restored-too" } }),
    ]);
    assert.deepEqual(
      ended.map(({ phase, errors }) => ({ phase, errors })),
      [COMPLETED, COMPLETED],
    );
    for (const namespace of ["restored", "restored-too"]) await isMovedTo(namespace);
    assert.match(await velero.describeRestore("mapped"), /Data Mover: velero/);
  });

  test("a restore of a volume that waits for its first consumer follows the consumer", async () => {
    const namespace = "late";
    const wanted = { namespace, name: "data", storageClassName: "array-late", consumer: "shop" };
    await createVolume(api, wanted);
    assert.equal((await velero.backup("of-late", { namespaces: [namespace] })).phase, "Completed");
    const mapped = { backup: "of-late", namespaceMappings: { late: "late-too" } };
    const { phase, errors } = await velero.restore("late", mapped);
    assert.deepEqual({ phase, errors }, COMPLETED);
    await isMovedTo("late-too");
  });

  for (const [behaviour, phase] of [
    ["fail", "Failed"],
    ["cancel", "Canceled"],
  ] as const) {
    test(`a data mover that ends a restore with "${behaviour}" leaves a ${phase} DataDownload`, async () => {
      const namespace = `${behaviour}-restore`;
      await backUp(namespace);
      const mapped = { backup: `of-${namespace}`, namespaceMappings: { [namespace]: `${namespace}d` } };
      assert.equal((await velero.restore(behaviour, mapped)).phase, "PartiallyFailed");
      const [download] = await downloadsOf(api, behaviour);
      assert.equal(download?.status["phase"], phase);
    });
  }

  async function isMovedTo(namespace: string): Promise<void> {
    const { source } = await restoredFrom({ api, cluster }, { namespace, name: "data" });
    assert.equal(source, undefined);
  }

  test("a deleted backup is gone", async () => {
    await createVolume(api, { namespace: "gone", name: "data" });
    await velero.backup("of-gone", { namespaces: ["gone"] });
    await velero.deleteBackup("of-gone");

    assert.doesNotMatch((await velero.velero(["backup", "get"])).stdout, /of-gone/);
  });
});

const DRIVER = {
  name: "array.csi.snapshot-retainer.io",
  limit: 32,
  classes: [{ name: "array-late", volumeBindingMode: "WaitForFirstConsumer" }],
} as const;

const COMPLETED = { phase: "Completed", errors: 0 };
