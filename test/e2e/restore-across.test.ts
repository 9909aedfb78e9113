import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { eventually } from "./eventually.ts";
import { decisionsOf, isStillRetained, nothingLeft, restoredFrom, retainedOf } from "./restore-bed.ts";
import { available, backUp, PATIENCE_MS, startBed } from "./retention-bed.ts";
import type { Bed, BedOptions } from "./retention-bed.ts";

/** Two clusters with one array and one bucket: the second restores what the first has retained. */
const { skip } = available;

const DRIVER = { name: "array.csi.snapshot-retainer.io", limit: 4 };
const POLICY = { snapshotsToRetain: 1 };
const CLAIM = { namespace: "shop", name: "data" };

describe("another cluster on the same storage restores", { skip, timeout: 600_000 }, () => {
  let first: Bed;
  let second: Bed;
  const started: Bed[] = [];

  async function start(options: BedOptions): Promise<Bed> {
    const bed = await startBed(options);
    started.push(bed);
    return bed;
  }

  before(async () => {
    first = await start({ policy: POLICY, drivers: [DRIVER] });
    second = await start({
      policy: { ...POLICY, restore: { acrossClusters: true } },
      drivers: [{ ...DRIVER, shared: first.cluster.array }],
      velero: { storage: first.velero.storage },
    });
    await first.volume(CLAIM);
    await backUp(first.velero, "night-1", "shop");
  });
  after(async () => {
    // The array goes with the first one.
    for (const bed of started.toReversed()) await bed.stop();
  });

  async function restoreThere(backup: string, target: string): Promise<string | undefined> {
    await eventually(
      `${backup} is known in the second cluster`,
      async () => {
        const { stdout } = await second.velero.velero(["backup", "get", backup]);
        assert.match(stdout, /Completed/);
      },
      PATIENCE_MS,
    );
    const { phase, errors } = await second.velero.restore(target, {
      backup,
      namespaceMappings: { shop: target },
    });
    assert.deepEqual({ phase, errors }, { phase: "Completed", errors: 0 });
    return (await restoredFrom(second, { namespace: target, name: "data" })).source;
  }

  test("from the snapshot that the first retained, which stays the first's", async () => {
    const snapshot = await retainedOf(first, "night-1", CLAIM);
    assert.equal(await restoreThere("night-1", "from-retained"), snapshot);
    assert.match((await decisionsOf(second.api, "from-retained")).join(), /^from retained snapshot /);
    await isStillRetained(first, snapshot);
  });

  test("by data movement when the first has pruned it", async () => {
    await backUp(first.velero, "night-2", "shop");
    await retainedOf(first, "night-2", CLAIM);
    assert.equal(await restoreThere("night-1", "pruned"), undefined);
    assert.match((await decisionsOf(second.api, "pruned")).join(), /^by data movement: /);
  });

  test("by data movement where the policy does not believe the object storage", async () => {
    await second.product.applyPolicy(POLICY);
    assert.equal(await restoreThere("night-2", "not-believed"), undefined);
  });

  test("and nothing is left in either", async () => nothingLeft(first, second));
});
