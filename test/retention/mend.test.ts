import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { Mend } from "../../src/retention/plan.ts";
import type { World } from "../../src/retention/world.ts";
import { aWorld, claimed, cloneSnapshot, planOf, retained, taken, taking } from "../builders/world.ts";

const running = { upload: "InProgress", backup: "InProgress" };
const LIMIT = "backup.velero.io/data-mover-snapshot-to-retain";
const unseenBackup = { metadata: { annotations: { [LIMIT]: undefined } } };
const identity = {
  "velero.io/snapshot-alias-name": "alias-s1",
  "velero.io/snapshot-volume-name": "app.data",
};

function mends(world: readonly Partial<World>[], policy = {}): Mend[] {
  return planOf(aWorld(...world, claimed()), policy).actions.filter((action) => action.kind === "mend");
}

/** One line an object. */
function mended(world: readonly Partial<World>[], policy = {}): string[] {
  return mends(world, policy).map(({ objectKind, object: { namespace, name } }) =>
    [objectKind, namespace, name].filter((part) => part !== undefined).join(" "),
  );
}

/** A snapshot that Velero takes while no webhook answers, and the DataUpload that moves it. */
function unseen(): Partial<World>[] {
  const upload = {
    metadata: { name: "u1", uid: "uid-u1" },
    spec: { csiSnapshot: { volumeSnapshot: "velero-s1" } },
  };
  const { dataUploads } = taken({ name: "s1", age: "1m", ...running, documents: "none", dataUpload: upload });
  return [taking("s1", "1m", { documents: "none" }), { dataUploads: dataUploads ?? [] }];
}

describe("what the webhook did not see", () => {
  const cases: Record<string, { world: readonly Partial<World>[]; policy?: object; want: string[] }> = {
    "is nothing where it saw all": {
      world: [taken({ name: "s1", age: "10m", ...running }), taking("s2", "1m"), retained("s3", "1d")],
      want: [],
    },
    "a Backup under way": {
      world: [taking("s1", "1m", { backupObject: unseenBackup })],
      want: ["Backup velero b-s1"],
    },
    "a Backup under way, though nothing is freed": {
      world: [taking("s1", "1m", { backupObject: unseenBackup })],
      policy: { mode: "paused" },
      want: ["Backup velero b-s1"],
    },
    "nothing is written in the mode audit": {
      world: [taking("s1", "1m", { backupObject: unseenBackup })],
      policy: { mode: "audit" },
      want: [],
    },
    "not a Backup that is over": { world: [retained("s1", "1d", { backupObject: unseenBackup })], want: [] },
    "not a Backup that moves no data": {
      world: [taking("s1", "1m", { backupObject: { ...unseenBackup, spec: { snapshotMoveData: false } } })],
      want: [],
    },
    "not a Backup of another Velero": {
      world: [taking("s1", "1m", { backupObject: unseenBackup })],
      policy: { velero: { namespaces: ["velero-too"] } },
      want: [],
    },
    "a DataUpload": {
      world: [taken({ name: "s1", age: "10m", ...running, documents: "content" })],
      want: ["DataUpload velero s1"],
    },
    "not a DataUpload that is over": {
      world: [
        taken({ name: "s1", age: "10m", upload: "Completed", backup: "InProgress", documents: "content" }),
      ],
      want: [],
    },
    "a clone's VolumeSnapshot": {
      world: [taken({ name: "s1", age: "10m", ...running }), cloneSnapshot("s1")],
      want: ["VolumeSnapshot velero s1"],
    },
    "an original, and the content of it, once a DataUpload proves them to be Velero's": {
      world: unseen(),
      want: ["DataUpload velero u1", "VolumeSnapshotContent snapcontent-s1", "VolumeSnapshot app velero-s1"],
    },
    "not what Velero's label alone claims": { world: [taking("s1", "1m", { documents: "none" })], want: [] },
  };
  for (const [name, { world, policy, want }] of Object.entries(cases)) {
    test(name, () => assert.deepEqual(mended(world, policy), want));
  }

  test("is given the policy's number for its schedule", () => {
    const hourly = { name: "few", when: { schedules: ["hourly"] }, snapshotsToRetain: 1 };
    const [found] = mends([taking("s1", "1m", { backupObject: unseenBackup, schedule: "hourly" })], {
      rules: [hourly],
    });
    assert.deepEqual(found?.annotations, { [LIMIT]: "1" });
    assert.deepEqual(found.labels, {});
  });

  test("is given the identity of its snapshot, and what was decided of it", () => {
    const [found] = mends([taken({ name: "s1", age: "10m", ...running, documents: "content" })]);
    assert.deepEqual(found?.labels, identity);
    assert.deepEqual(found.annotations, {
      "snapshot-retainer.io/retain": "true",
      "snapshot-retainer.io/limit": "3",
      "snapshot-retainer.io/limit-reason": "the policy's snapshotsToRetain",
    });
    assert.equal(found.document?.alias, "alias-s1");
  });

  test("is given no decision that stands on a guess", () => {
    const rules = [{ name: "gold", when: { pvcLabels: { tier: "gold" } }, snapshotsToRetain: 9 }];
    const world = aWorld(taken({ name: "s1", age: "10m", ...running, documents: "none" }));
    const [found] = planOf(world, { rules }).actions.filter((action) => action.kind === "mend");
    assert.deepEqual(found?.annotations, {});
  });

  test("gets one alias for all of its objects", () => {
    const aliases = mends(unseen()).map(({ document }) => document?.alias);
    assert.deepEqual(aliases, ["uid-u1", "uid-u1", "uid-u1"]);
  });

  test("inherits the original's labels with the document that Velero copied onto it", () => {
    const world = taken({ name: "s1", age: "10m", ...running });
    const snapshot = cloneSnapshot("s1");
    const [clone] = snapshot.snapshots ?? [];
    const { annotations } = world.dataUploads?.[0]?.metadata ?? {};
    const carrying = clone && { ...clone, metadata: { ...clone.metadata, annotations } };
    const [found] = mends([world, { snapshots: carrying ? [carrying] : [] }]);
    assert.deepEqual(found?.labels, { ...identity, tier: "gold" });
    assert.equal(found.document, undefined);
  });
});
