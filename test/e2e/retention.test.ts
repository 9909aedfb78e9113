import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { eventually } from "./eventually.ts";
import { available, backUp, holds, PATIENCE_MS, startBed } from "./retention-bed.ts";
import type { Bed } from "./retention-bed.ts";

/** How many snapshots are kept, and which, by real backups of the real Velero; what counts is what the arrays hold. */
const { skip } = available;

const POLICY = {
  snapshotsToRetain: 3,
  rules: [
    { name: "nothing", when: { drivers: ["none.csi.snapshot-retainer.io"] }, snapshotsToRetain: 0 },
    { name: "a schedule", when: { schedules: ["often"] }, snapshotsToRetain: 2 },
    { name: "files", when: { drivers: ["file.csi.snapshot-retainer.io"] }, snapshotsToRetain: 1 },
  ],
  ceilings: {
    drivers: {
      "array.csi.snapshot-retainer.io": 3,
      "file.csi.snapshot-retainer.io": 1,
      "none.csi.snapshot-retainer.io": 1,
    },
  },
  // As long as the API server has patience: a machine with other work takes its time to free one, and here two at once.
  waitForRoom: "8s",
  velero: { namespaces: ["velero", "velero-too"] },
};

/** Arrays that hold no snapshot more than the policy allows; one has to hold the snapshot whose data is copied. */
const DRIVERS = [
  { name: "array.csi.snapshot-retainer.io", limit: 3 },
  { name: "file.csi.snapshot-retainer.io", limit: 1 },
  { name: "none.csi.snapshot-retainer.io", limit: 1 },
];

describe("the newest N snapshots of each volume", { skip, timeout: 400_000 }, () => {
  let bed: Bed;

  before(async () => {
    bed = await startBed({
      policy: POLICY,
      drivers: DRIVERS,
      others: [{ namespace: "velero-too", nodes: 1 }],
    });
  });
  after(async () => bed.stop());

  describe("at once", { concurrency: true }, () => {
    test("are kept, several volumes of several numbers, by arrays that hold no more", async () => {
      const volumes = await Promise.all(
        ["array", "array", "file", "none"].map(async (storageClassName, index) =>
          bed.volume({ namespace: "many", name: `data-${index}`, storageClassName }),
        ),
      );
      const [three, one, none] = [volumes.slice(0, 2), volumes.slice(2, 3), volumes.slice(3)];
      for (let n = 1; n <= 6; n++) {
        await backUp(bed.velero, `many-${n}`, "many");
        const newest = [n - 2, n - 1, n].filter((each) => each > 0);
        await Promise.all([
          ...three.map(async (volume) => holds(volume, ...newest)),
          ...one.map(async (volume) => holds(volume, n)),
          ...none.map(async (volume) => holds(volume)),
        ]);
      }
    });

    test("are kept of a block volume and of one with a long name in a namespace with a long one", async () => {
      const namespace = "the-department-of-rather-long-names-and-even-longer-acronyms-63";
      const name = "data-of-the-database-with-a-name-that-its-operator-generated-from-three-others-0";
      const volumes = [
        await bed.volume({ namespace, name, storageClassName: "file" }),
        await bed.volume({ namespace, name: "raw", storageClassName: "file", volumeMode: "Block" }),
      ];
      for (const n of [1, 2]) {
        await backUp(
          bed.velero,
          `a-backup-with-a-name-that-is-longer-than-what-fits-in-a-label-${n}`,
          namespace,
        );
        for (const volume of volumes) await holds(volume, n);
      }
    });

    test("are kept of a schedule's backups, by a rule for that schedule", async () => {
      const volume = await bed.volume({ namespace: "scheduled", name: "data" });
      const of = ["--include-namespaces=scheduled", "--snapshot-move-data"];
      await bed.velero.velero(["schedule", "create", "often", "--schedule=@every 30s", ...of]);
      const first = await eventually(
        "the schedule has begun",
        async () => {
          const [backup] = await bed.api.list("velero.io/v1", "Backup", SCHEDULED);
          assert.ok(backup);
          return backup.metadata.name;
        },
        PATIENCE_MS,
      );
      await bed.velero.velero(["schedule", "pause", "often"]);
      assert.equal((await bed.velero.ended(first)).phase, "Completed");
      for (const name of ["often-2", "often-3"]) {
        await bed.velero.velero(["backup", "create", name, "--from-schedule=often"]);
        assert.equal((await bed.velero.ended(name)).phase, "Completed");
      }
      await holds(volume, 2, 3);
    });

    test("are kept when the claim is made anew under its name: the old volume's go first", async () => {
      const wanted = { namespace: "anew", name: "data" };
      const old = await bed.volume(wanted);
      await backUp(bed.velero, "anew-1", "anew");
      await holds(old, 1);
      await bed.api.remove(old.claim);
      await eventually("the claim is gone", async () =>
        assert.equal(await bed.api.find(old.claim), undefined),
      );
      const successor = await bed.volume(wanted);
      await backUp(bed.velero, "anew-2", "anew");
      await backUp(bed.velero, "anew-3", "anew");
      await holds(old, 1);
      await holds(successor, 1, 2);
      await backUp(bed.velero, "anew-4", "anew");
      await holds(old);
      await holds(successor, 1, 2, 3);
    });

    test("are counted across two installations of Velero", async () => {
      const volume = await bed.volume({ namespace: "shared", name: "data" });
      const [other = bed.velero] = bed.others;
      await backUp(bed.velero, "shared-1", "shared");
      await backUp(other, "shared-2", "shared");
      await backUp(bed.velero, "shared-3", "shared");
      await holds(volume, 1, 2, 3);
      await backUp(other, "shared-4", "shared");
      await holds(volume, 2, 3, 4);
      // Both ask for room at the same time: each gets a place of its own.
      await Promise.all([backUp(bed.velero, "shared-5", "shared"), backUp(other, "shared-6", "shared")]);
      await holds(volume, 4, 5, 6);
    });
  });

  test("no array refused a snapshot", async () => {
    for (const array of bed.cluster.arrays) {
      assert.deepEqual((await array.state()).refusals, []);
    }
  });

  test("a lower number prunes at once, oldest first, and a higher one deletes nothing", async () => {
    const { array } = bed.cluster;
    const before = (await array.state()).snapshots.length;
    await bed.product.applyPolicy({ ...POLICY, snapshotsToRetain: 2 });
    await eventually("two snapshots of each volume are left", async () => {
      const { snapshots } = await array.state();
      const perVolume = Map.groupBy(snapshots, ({ sourceVolume }) => sourceVolume);
      assert.deepEqual(
        [...perVolume.values()].map((each) => each.length),
        [...perVolume.values()].map(() => 2),
      );
    });
    await bed.product.applyPolicy({ ...POLICY, snapshotsToRetain: 9 });
    await backUp(bed.velero, "shared-7", "shared");
    const now = (await array.state()).snapshots.length;
    assert.ok(now > before / 2, `${now}`);
  });
});

const SCHEDULED = "labelSelector=velero.io/schedule-name=often";
