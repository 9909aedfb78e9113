import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { World } from "../../src/retention/world.ts";
import { aWorld, claimed, msAgo, planOf, reservation, retained, taken, taking } from "../builders/world.ts";

const two = [retained("s1", "2d"), retained("s2", "1d")];
const pinned = { labels: { "snapshot-retainer.io/pin": "true" } };
const going = {
  deletionPolicy: "Delete",
  labels: { "snapshot-retainer.io/released": "making_room" },
  content: { metadata: { deletionTimestamp: "2026-11-24T11:59:59Z" } },
};
const asked = [reservation("1s"), claimed()];

interface Case {
  readonly world: readonly Partial<World>[];
  readonly policy?: Parameters<typeof planOf>[1];
  readonly want: string;
  readonly reason: RegExp;
}

const cases: Record<string, Case> = {
  "is granted while there is a place": {
    world: [...two, ...asked],
    want: "granted",
    reason: /^2 of 3 places are taken \(the policy's snapshotsToRetain\)$/,
  },
  "is granted to a volume without snapshots": { world: asked, want: "granted", reason: /^0 of 3/ },
  "waits while the oldest is being freed": {
    world: [...two, ...asked],
    policy: { snapshotsToRetain: 2 },
    want: "wait",
    reason: /^1 of 2 snapshots are being freed$/,
  },
  "waits until what is being freed is gone": {
    world: [retained("s1", "2d", going), retained("s2", "1d"), ...asked],
    policy: { snapshotsToRetain: 2 },
    want: "wait",
    reason: /being freed/,
  },
  "waits for the only one at a number of 1": {
    world: [retained("s1", "2d"), ...asked],
    policy: { snapshotsToRetain: 1 },
    want: "wait",
    reason: /being freed/,
  },
  "counts what failed until it is gone": {
    world: [retained("s1", "2d"), taken({ name: "s2", age: "3m", upload: "Failed" }), ...asked],
    policy: { snapshotsToRetain: 2 },
    want: "wait",
    reason: /being freed/,
  },
  "does not count by number one on its way that is not to be retained": {
    world: [retained("s1", "2d"), taking("s2", "1m", { schedule: "hourly" }), ...asked],
    policy: {
      snapshotsToRetain: 2,
      rules: [{ name: "none", when: { schedules: ["hourly"] }, snapshotsToRetain: 0 }],
    },
    want: "granted",
    reason: /^1 of 2/,
  },
  "does not count what is left to Velero": {
    world: [
      retained("s1", "2d"),
      taken({ name: "s2", age: "3m", upload: null, deletionPolicy: "Delete" }),
      ...asked,
    ],
    policy: { snapshotsToRetain: 2 },
    want: "granted",
    reason: /^1 of 2/,
  },
  "is none where all are pinned": {
    world: [retained("s1", "2d", pinned), retained("s2", "1d", pinned), ...asked],
    policy: { snapshotsToRetain: 2 },
    want: "none",
    reason: /^2 of 2 places are taken \(.*\): pinned by the label snapshot-retainer.io\/pin$/,
  },
  "is none while the mode is paused": {
    world: [...two, ...asked],
    policy: { snapshotsToRetain: 2, mode: "paused" },
    want: "none",
    reason: /paused/,
  },
  "is none while the budget is used up": {
    world: [...two, { freedAt: [msAgo("1s")] }, ...asked],
    policy: { snapshotsToRetain: 2, deletionsPerMinute: 1 },
    want: "none",
    reason: /deletionsPerMinute is used up/,
  },
  "is none where those on their way fill the number": {
    world: [taken({ name: "s3", age: "5m", upload: "InProgress", backup: "InProgress" }), ...asked],
    policy: { snapshotsToRetain: 1 },
    want: "none",
    reason: /its data is being copied/,
  },
  "counts by the volume on the storage for the ceiling": {
    world: [retained("l1", "2d", { pvc: "logs" }), ...asked],
    policy: { ceilings: { drivers: { "rbd.csi.ceph.com": 1 } } },
    want: "wait",
    reason: /being freed/,
  },
  "is granted where the storage's volume is another one": {
    world: [retained("l1", "2d", { volumeHandle: "vol-2" }), ...asked],
    policy: { ceilings: { drivers: { "rbd.csi.ceph.com": 1 } } },
    want: "granted",
    reason: /^1 of 3/,
  },
  "at a number of 0 asks the ceiling alone": {
    world: [...asked],
    policy: { snapshotsToRetain: 0 },
    want: "granted",
    reason: /ceiling of rbd/,
  },
  "of a volume of which nothing is known is granted by the number": {
    world: [reservation("1s")],
    want: "granted",
    reason: /^0 of 3/,
  },
  "waits, and lets nothing go, for a Backup that nobody started": {
    world: [...two, reservation("1s", {}, { backup: null }), claimed()],
    policy: { snapshotsToRetain: 2 },
    want: "wait",
    reason: /its Backup takes no snapshots now/,
  },
  "waits, and lets nothing go, for a Backup that is over": {
    world: [...two, reservation("1s", {}, { backup: "Completed" }), claimed()],
    policy: { snapshotsToRetain: 2 },
    want: "wait",
    reason: /its Backup takes no snapshots now/,
  },
  "is used up when the snapshot has come": {
    world: [...two, taking("new", "0s"), ...asked],
    want: "consumed",
    reason: /has come/,
  },
  "is used up when the snapshot came in the same second": {
    world: [...two, taking("new", "2s"), ...asked],
    want: "consumed",
    reason: /has come/,
  },
  "is not used up by one that was taken before": {
    world: [retained("s1", "2d"), taking("other", "1m"), ...asked],
    want: "granted",
    reason: /^2 of 3/,
  },
  "is not used up by another volume's": {
    world: [taking("other", "0s", { pvc: "logs", volumeHandle: "vol-2" }), ...asked],
    want: "granted",
    reason: /^0 of 3/,
  },
  "is not used up by another Backup's snapshot of the volume": {
    world: [...two, taking("other", "0s"), ...asked],
    policy: { snapshotsToRetain: 4 },
    want: "granted",
    reason: /^3 of 4/,
  },
  "is used up by its Backup's snapshot, where a new leader sees both later": {
    world: [...two, taking("new", "40s"), ...asked],
    want: "consumed",
    reason: /has come/,
  },
  "is used up by what its Backup has retained already, where a new leader sees both later": {
    world: [
      retained("s1", "2d"),
      retained("new", "50s"),
      reservation("1s", { askedAtMs: msAgo("1m") }),
      claimed(),
    ],
    want: "consumed",
    reason: /has come/,
  },
  "is not used up by what a namesake of its Backup took": {
    world: [retained("s1", "2d"), retained("new", "1d"), ...asked],
    want: "granted",
    reason: /^2 of 3/,
  },
  "lapses where it was asked long before anybody saw it": {
    world: [...two, reservation("1s", { askedAtMs: msAgo("1h") }), claimed()],
    want: "lapsed",
    reason: /never came/,
  },
  "lapses after a minute": {
    world: [...two, reservation("61s"), claimed()],
    want: "lapsed",
    reason: /never came/,
  },
};

describe("room", () => {
  for (const [name, { world, policy, want, reason }] of Object.entries(cases)) {
    test(name, () => {
      const [answer] = planOf(aWorld(...world), policy).room;
      assert.equal(answer?.answer, want);
      assert.match(answer.reason, reason);
      assert.equal(answer.reservation.holder, "holder-1");
    });
  }

  const rivals: Record<string, { world: readonly Partial<World>[]; number: number; want: string[] }> = {
    "is granted to both where there are two places": { world: two, number: 4, want: ["granted", "granted"] },
    "is granted to the first alone where one place is left": {
      world: [retained("s1", "2d")],
      number: 2,
      want: ["granted", "wait"],
    },
    "is waited for by both where two are being freed": { world: two, number: 2, want: ["wait", "wait"] },
    "is none for the second where the first takes the only place": {
      world: [],
      number: 1,
      want: ["granted", "none"],
    },
  };
  for (const [name, { world, number, want }] of Object.entries(rivals)) {
    test(`of two Backups that ask at once ${name}`, () => {
      const backup = { namespace: "velero-2", name: "b-rival" };
      const later = reservation("1s", { holder: "holder-2", backup, askedAtMs: msAgo("0s") });
      assert.deepEqual(answersOf([later, ...asked, ...world], number), want);
    });
  }

  test("is granted to two that ask at once for a volume each", () => {
    const logs = { volume: { namespace: "app", name: "logs" }, volumeName: "app.logs" };
    const other = reservation("1s", { holder: "holder-2", ...logs });
    assert.deepEqual(answersOf([other, ...asked], 1), ["granted", "granted"]);
  });

  function answersOf(world: readonly Partial<World>[], snapshotsToRetain: number): (string | undefined)[] {
    const { room } = planOf(aWorld(...world), { snapshotsToRetain });
    const answers = new Map(room.map(({ reservation: { holder }, answer }) => [holder, answer]));
    return [answers.get("holder-1"), answers.get("holder-2")];
  }

  test("is not spoken of in audit, but for what is over", () => {
    assert.deepEqual(planOf(aWorld(...asked), { mode: "audit" }).room, []);
    const [lapsed] = planOf(aWorld(...two, reservation("61s"), claimed()), { mode: "audit" }).room;
    assert.equal(lapsed?.answer, "lapsed");
  });

  const idle: Record<string, Partial<World>> = {
    "that lapsed": reservation("61s"),
    "of a Backup that nobody started": reservation("1s", {}, { backup: null }),
    "of a Backup that is over": reservation("1s", {}, { backup: "Completed" }),
  };
  for (const [name, asking] of Object.entries(idle)) {
    test(`${name} lets nothing go`, () => {
      const world = aWorld(...two, asking, claimed());
      assert.deepEqual(planOf(world, { snapshotsToRetain: 2 }).actions, []);
    });
  }

  test("of a Backup that is not seen to run yet keeps no place from another's", () => {
    const asking = reservation("2s", { holder: "holder-2" }, { backup: null });
    const backup = { namespace: "velero", name: "b-running" };
    const world = [retained("s1", "2d"), asking, reservation("1s", { backup }), claimed()];
    assert.deepEqual(answersOf(world, 2), ["granted", "wait"]);
  });

  test("is made in its own volume alone, and first", () => {
    const world = aWorld(...two, retained("l1", "9d", { pvc: "logs", volumeHandle: "vol-2" }), ...asked);
    const plan = planOf(world, { snapshotsToRetain: 2 });
    assert.deepEqual(
      plan.actions.map((action) => [action.kind, action.key, action.kind === "free" && action.makesRoom]),
      [["free", "s1", true]],
    );
  });
});
