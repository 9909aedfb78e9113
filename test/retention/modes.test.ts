import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { testPlans } from "../builders/plan-cases.ts";
import {
  actionsIn,
  aWorld,
  claimed,
  decisionsIn,
  msAgo,
  NOW,
  planOf,
  reservation,
  retained,
  taken,
} from "../builders/world.ts";

const over = "going over_number";
const within = "kept within_number";
const two = [retained("s1", "2d"), retained("s2", "1d")];
const running = { upload: "InProgress", backup: "InProgress", deletionPolicy: "Delete" };

testPlans("the mode", {
  "audit says what would go, and does nothing": {
    world: [
      ...two,
      taken({ name: "s3", age: "5m", ...running }),
      taken({ name: "s4", age: "9m" }),
      claimed(),
    ],
    policy: { mode: "audit", snapshotsToRetain: 2 },
    want: {
      s1: `${over}, audited`,
      s2: `${over}, audited`,
      s3: "kept uploading",
      s4: within,
    },
    actions: [],
  },
  "paused goes on keeping and frees nothing": {
    world: [...two, taken({ name: "s4", age: "9m" }), claimed()],
    policy: { mode: "paused", snapshotsToRetain: 1 },
    want: { s1: `${over}, paused`, s2: `${over}, paused`, s4: within },
    actions: ["record s4", "mark s4"],
  },
  "paused sets to Retain what fits": {
    world: [retained("s1", "2d"), taken({ name: "s3", age: "5m", ...running }), claimed()],
    policy: { mode: "paused", snapshotsToRetain: 2 },
    want: { s1: within, s3: "kept uploading" },
    actions: ["protect s3", "record s3"],
  },
  "paused adds nothing to a volume that is at its number": {
    world: [...two, taken({ name: "s3", age: "5m", ...running }), claimed()],
    policy: { mode: "paused", snapshotsToRetain: 2 },
    want: { s1: `${over}, paused`, s2: within, s3: "kept uploading" },
    actions: [],
  },
});

function freed(...ages: string[]): { freedAt: number[] } {
  return { freedAt: ages.map(msAgo) };
}

testPlans("the budget", {
  "frees as many in a minute as it allows, the oldest first": {
    world: [...two, retained("s3", "3d"), claimed()],
    policy: { snapshotsToRetain: 0, deletionsPerMinute: 2 },
    want: {
      s3: "going number_is_zero",
      s1: "going number_is_zero",
      s2: "going number_is_zero, waiting_for_budget",
    },
    actions: ["free s3", "free s1"],
  },
  "counts what was freed within the last minute": {
    world: [...two, freed("0s", "50s", "60s", "70s"), claimed()],
    policy: { snapshotsToRetain: 0, deletionsPerMinute: 3 },
    want: { s1: "going number_is_zero", s2: "going number_is_zero, waiting_for_budget" },
  },
  "lets what failed go first": {
    world: [...two, taken({ name: "s3", age: "5m", upload: "Failed" }), claimed()],
    policy: { snapshotsToRetain: 0, deletionsPerMinute: 1 },
    want: {
      s1: "going number_is_zero, waiting_for_budget",
      s2: "going number_is_zero, waiting_for_budget",
      s3: "going upload_failed",
    },
  },
  "lets those go first that make room": {
    world: [
      taken({ name: "l1", pvc: "logs", age: "5m", upload: "Failed" }),
      ...two,
      reservation("1s"),
      claimed(),
    ],
    policy: { snapshotsToRetain: 2, deletionsPerMinute: 1 },
    want: { l1: "going upload_failed, waiting_for_budget", s1: "going making_room", s2: within },
  },
  "does not hold what was begun": {
    world: [
      retained("s1", "2d", {
        deletionPolicy: "Delete",
        labels: { "snapshot-retainer.io/released": "over_number" },
      }),
      retained("s2", "1d"),
      freed("1s"),
      claimed(),
    ],
    policy: { snapshotsToRetain: 0, deletionsPerMinute: 1 },
    want: { s1: "going over_number", s2: "going number_is_zero, waiting_for_budget" },
    actions: ["free s1"],
  },
});

describe("the time of the next look", () => {
  const cases: Record<string, [worlds: Parameters<typeof aWorld>, policy: object, atMs: number | undefined]> =
    {
      "is none where time changes nothing": [[...two, claimed()], {}, undefined],
      "is when a snapshot becomes too old": [[...two, claimed()], { maxAge: "3d" }, NOW + 24 * 3_600_000],
      "is when a snapshot loses minAge": [
        [...two, claimed()],
        { keep: { daily: 9 }, minAge: "36h", maxAge: "90d" },
        NOW + 12 * 3_600_000,
      ],
      "is when the budget has a place again": [
        [...two, freed("50s"), claimed()],
        { snapshotsToRetain: 0, deletionsPerMinute: 1 },
        NOW + 10_000,
      ],
      "is in a minute when the budget is used up by this plan": [
        [...two, claimed()],
        { snapshotsToRetain: 0, deletionsPerMinute: 1 },
        NOW + 60_000,
      ],
      "is when a mover is given up": [
        [taken({ name: "s1", age: "10m", upload: "InProgress" }), claimed()],
        {},
        NOW - 10 * 60_000 + 3 * 60_000 + 3_600_000,
      ],
      "is when a request for room lapses": [[...two, reservation("10s"), claimed()], {}, NOW + 50_000],
      "is when a missing Backup may be gone": [
        [
          retained("s1", "3d", { upload: null, backup: null }),
          { missingSince: new Map([["velero/b-s1", msAgo("4m")]]) },
          claimed(),
        ],
        {},
        NOW + 6 * 60_000,
      ],
    };
  for (const [name, [worlds, policy, want]] of Object.entries(cases)) {
    test(name, () => {
      assert.equal(planOf(aWorld(...worlds), policy).recheckAt, want);
    });
  }

  test("changes the plan", () => {
    const world = aWorld(...two, claimed());
    const { recheckAt = 0 } = planOf(world, { maxAge: "3d" });
    assert.deepEqual(decisionsIn(planOf(world, { maxAge: "3d" }, recheckAt)), {
      s1: "going older_than_max_age",
      s2: within,
    });
  });
});

test("a plan of nothing is empty", () => {
  const plan = planOf(aWorld());
  assert.deepEqual(actionsIn(plan), []);
  assert.deepEqual(plan.volumes, []);
});
