import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { eventually } from "./eventually.ts";
import {
  aChangeOfClass,
  decisionsOf,
  downloadsOf,
  isStillRetained,
  nothingLeft,
  nothingLeftOf,
  removeClaims,
  restoreAll,
  restoredFrom,
  retainedOf,
} from "./restore-bed.ts";
import { available, backUp, PATIENCE_MS, startBed } from "./retention-bed.ts";
import type { Bed } from "./retention-bed.ts";

/** Where `velero restore create` brings a volume back from; what counts is what the array made it from. */
const { skip } = available;

const POLICY = {
  snapshotsToRetain: 2,
  rules: [
    { name: "none", when: { pvcLabels: { keep: "none" } }, snapshotsToRetain: 0 },
    { name: "one", when: { namespaces: ["old"] }, snapshotsToRetain: 1 },
  ],
  ceilings: { drivers: { "array.csi.snapshot-retainer.io": 4 } },
};

const DRIVER = {
  name: "array.csi.snapshot-retainer.io",
  limit: 4,
  classes: [
    { name: "array-late", volumeBindingMode: "WaitForFirstConsumer" },
    { name: "array-kept", reclaimPolicy: "Retain" },
    { name: "array-former" },
  ],
} as const;

describe("a volume is restored", { skip, timeout: 600_000 }, () => {
  let bed: Bed;

  before(async () => {
    bed = await startBed({ policy: POLICY, drivers: [DRIVER], velero: { nodes: 6 } });
    await Promise.all([
      bed.volume({ namespace: "shop", name: "data" }),
      bed.volume({ namespace: "shop", name: "raw", volumeMode: "Block" }),
      bed.volume({ namespace: "shop", name: "bare", labels: { keep: "none" } }),
      bed.volume({ namespace: "late", name: "data", storageClassName: "array-late", consumer: "shop" }),
      bed.volume({ namespace: "kept", name: "data", storageClassName: "array-kept" }),
      bed.volume({ namespace: "moved", name: "data", storageClassName: "array-former" }),
      bed.volume({ namespace: "old", name: "data" }),
      bed.volume({ namespace: "again", name: "data" }),
      ...CONFIG_MAPS.map(async (configMap) => bed.api.create(configMap)),
    ]);
    await backUp(bed.velero, "first", "shop", "late", "kept", "moved", "old", "again");
  });
  after(async () => bed.stop());

  /** Restores one namespace of a Backup into another one. */
  async function restoreInto(
    target: string,
    given: { readonly from: string; readonly backup?: string; readonly flags?: readonly string[] },
  ): Promise<void> {
    const { from, backup = "first", flags = [] } = given;
    await restoreAll(bed.velero, target, {
      backup,
      namespaceMappings: { [from]: target },
      flags: [`--include-namespaces=${from}`, ...flags],
    });
  }

  async function isFromRetained(namespace: string, backup = "first", name = "data") {
    const restored = await restoredFrom(bed, { namespace, name });
    const source = namespace.replace(/-.*/, "");
    const handle = await retainedOf(bed, backup, { namespace: source, name });
    assert.equal(restored.source, handle, `${namespace}/${name}`);
    await isStillRetained(bed, handle);
    return restored;
  }

  describe("at once,", { concurrency: true }, () => {
    for (const target of ["shop-one", "shop-two"]) {
      test(`from its retained snapshot where there is one, else by Velero (${target})`, async () => {
        await restoreInto(target, { from: "shop" });
        for (const name of ["data", "raw"]) {
          const { reclaimPolicy, claim } = await isFromRetained(target, "first", name);
          assert.equal(reclaimPolicy, "Delete");
          assert.equal(claim.spec["volumeMode"], name === "raw" ? "Block" : "Filesystem");
        }
        assert.equal((await restoredFrom(bed, { namespace: target, name: "bare" })).source, undefined);
        await nothingLeftOf(bed, target);
        const described = await bed.velero.describeRestore(target);
        const movers = [...described.matchAll(/Data Mover: (\S+)/g)].map(([, mover = ""]) => mover);
        assert.deepEqual(new Set(movers), new Set(["snapshot-retainer", "velero"]));
        const decisions = (await decisionsOf(bed.api, target)).toSorted();
        assert.match(decisions[0] ?? "", /^by data movement: /);
        for (const decision of decisions.slice(1)) {
          assert.match(decision, /^from retained snapshot \S+ of backup first/);
        }
      });
    }

    test("from its retained snapshot when it waits for its first consumer", async () => {
      await restoreInto("late-too", { from: "late" });
      await isFromRetained("late-too");
      await nothingLeftOf(bed, "late-too");
    });

    test("with the reclaim policy that it had", async () => {
      await restoreInto("kept-too", { from: "kept" });
      assert.equal((await isFromRetained("kept-too")).reclaimPolicy, "Retain");
    });

    test("into another class of the same driver, and larger than it was", async () => {
      const flags = ["--resource-modifier-configmap=larger"];
      await restoreInto("moved-too", { from: "moved", flags });
      const { handle, claim } = await isFromRetained("moved-too");
      assert.equal(claim.spec["storageClassName"], "array");
      const { volumes } = await bed.cluster.array.state();
      assert.equal(volumes.find(({ id }) => id === handle)?.capacityBytes, 2 * 2 ** 30);
    });

    test("not at all where its claim is still there", async () => {
      const before = await restoredFrom(bed, { namespace: "shop", name: "data" });
      await restoreAll(bed.velero, "there", { backup: "first", flags: ["--include-namespaces=shop"] });
      const now = await restoredFrom(bed, { namespace: "shop", name: "data" });
      assert.equal(now.handle, before.handle);
      assert.deepEqual(await downloadsOf(bed.api, "there"), []);
    });

    test("by Velero from an older backup whose snapshot was pruned", async () => {
      await retainedOf(bed, "first", { namespace: "old", name: "data" });
      await backUp(bed.velero, "second", "old");
      await retainedOf(bed, "second", { namespace: "old", name: "data" });
      await restoreInto("old-too", { from: "old" });
      assert.equal((await restoredFrom(bed, { namespace: "old-too", name: "data" })).source, undefined);
      assert.match((await decisionsOf(bed.api, "old-too")).join(), /^by data movement: .*pruned on 20\d\d-/);
    });

    test("in place, and again from a backup of what was restored", async () => {
      const claim = { namespace: "again", name: "data" };
      await retainedOf(bed, "first", claim);
      await removeClaims(bed, claim);
      await bed.api.remove({ apiVersion: "v1", kind: "Namespace", metadata: { name: "again" } });
      await eventually(
        "the namespace is gone",
        async () =>
          assert.equal(
            await bed.api.find({ apiVersion: "v1", kind: "Namespace", metadata: { name: "again" } }),
            undefined,
          ),
        PATIENCE_MS,
      );
      await restoreAll(bed.velero, "again", { backup: "first", flags: ["--include-namespaces=again"] });
      const first = await isFromRetained("again");
      await backUp(bed.velero, "of-restored", "again");
      await restoreInto("again-too", { from: "again", backup: "of-restored" });
      const { source } = await isFromRetained("again-too", "of-restored");
      const { snapshots } = await bed.cluster.array.state();
      assert.equal(snapshots.find(({ id }) => id === source)?.sourceVolume, first.handle);
      await isFromRetained("again");
    });
  });

  test("by Velero where the policy says so", async () => {
    await bed.product.applyPolicy({ ...POLICY, restore: { fromRetained: false } });
    await restoreInto("shop-three", { from: "shop" });
    for (const name of ["data", "raw", "bare"]) {
      assert.equal((await restoredFrom(bed, { namespace: "shop-three", name })).source, undefined);
    }
  });

  test("and nothing is left of it, on the array or in any namespace", async () => {
    await nothingLeft(bed);
    assert.deepEqual((await bed.cluster.array.state()).refusals, []);
  });
});

/** What Velero is to change in the namespace "moved": the class, and the size. */
const CONFIG_MAPS = [
  aChangeOfClass({ "array-former": "array" }),
  {
    apiVersion: "v1",
    kind: "ConfigMap",
    metadata: { name: "larger", namespace: "velero" },
    data: {
      "rules.yaml": JSON.stringify({
        version: "v1",
        resourceModifierRules: [
          {
            conditions: { groupResource: "persistentvolumeclaims" },
            mergePatches: [
              { patchData: JSON.stringify({ spec: { resources: { requests: { storage: "2Gi" } } } }) },
            ],
          },
        ],
      }),
    },
  },
];
