import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { decide } from "../../src/retention/decide.ts";
import type { Plan } from "../../src/retention/plan.ts";
import type { World } from "../../src/retention/world.ts";
import { aPolicy } from "../builders/policy.ts";
import {
  aDeleteRequest,
  aLocation,
  aWorld,
  claimed,
  cloneSnapshot,
  msAgo,
  NOW,
  reservation,
  taken,
  taking,
  waitingFor,
} from "../builders/world.ts";
import type { Taken } from "../builders/world.ts";

type Policy = Parameters<typeof aPolicy>[0];

const phases = ["New", "Accepted", "InProgress", "Completed", "Completed", "Completed", "Failed", "Canceled"];
const backupPhases = [
  "InProgress",
  "Finalizing",
  "Completed",
  "Completed",
  "PartiallyFailed",
  "Failed",
  "Deleting",
];

/** One snapshot in whatever state, on few volumes, so that they compete. */
const someSnapshot: fc.Arbitrary<Omit<Taken, "name">> = fc.record({
  age: fc.integer({ min: 0, max: 100 * 24 }).map((hours) => `${hours}h`),
  pvc: fc.constantFrom("data", "data", "logs"),
  volumeHandle: fc.constantFrom("vol-1", "vol-1", "vol-2", undefined),
  upload: fc.constantFrom(...phases, null),
  backup: fc.constantFrom(...backupPhases, null),
  retained: fc.boolean(),
  ready: fc.boolean(),
  held: fc.boolean(),
  deletionPolicy: fc.constantFrom("Retain", "Retain", "Retain", "Delete"),
  documents: fc.constantFrom("both", "both", "content", "upload", "none"),
  schedule: fc.constantFrom("daily", "hourly"),
  handle: fc.constantFrom(...Array.from({ length: 30 }, (_, index) => `h-${index}`)),
  labels: fc.constantFrom(
    {},
    {},
    {},
    { "snapshot-retainer.io/pin": "true" },
    { "velero.io/restore-name": "r" },
    { "snapshot-retainer.io/released": "over_number" },
  ),
  content: fc.constantFrom({}, {}, {}, { metadata: { deletionTimestamp: "2026-11-24T11:00:00Z" } }),
});

const someWorld: fc.Arbitrary<World> = fc
  .record({
    snapshots: fc.array(someSnapshot, { maxLength: 14 }),
    originals: fc.array(fc.constantFrom("both", "none"), { maxLength: 2 }),
    claim: fc.boolean(),
    waits: fc.array(fc.integer({ min: 0, max: 13 }), { maxLength: 2 }),
    room: fc.boolean(),
    vanish: fc.array(fc.boolean(), { minLength: 14, maxLength: 14 }),
    missing: fc.boolean(),
    freed: fc.integer({ min: 0, max: 4 }),
  })
  .map(({ snapshots, originals, claim, waits, room, vanish, missing, freed }) => {
    const parts = snapshots.map((options, index) => taken({ ...options, name: `s${index}` }));
    return aWorld(
      ...parts.map((part, index) => (vanish[index] === true ? { ...part, contents: [] } : part)),
      ...originals.map((documents, index) => taking(`o${index}`, "2m", { documents })),
      ...(claim ? [claimed()] : []),
      ...waits.flatMap((index) => [cloneSnapshot(`s${index}`), waitingFor(`s${index}`)]),
      ...(room ? [reservation("1s")] : []),
      {
        deleteBackupRequests: [aDeleteRequest("b-s1", "InProgress")],
        storageLocations: [aLocation("1m")],
        deletions: new Map([["velero/b-s2", NOW]]),
        missingSince: new Map(missing ? parts.map((_, index) => [`velero/b-s${index}`, msAgo("1h")]) : []),
        freedAt: Array.from({ length: freed }, () => NOW - 1000),
        vanished: parts
          .filter((_, index) => vanish[index] === true)
          .flatMap(({ contents }) => contents ?? []),
      },
    );
  });

const somePolicy: fc.Arbitrary<Policy> = fc.record(
  {
    snapshotsToRetain: fc.integer({ min: -1, max: 8 }),
    mode: fc.constantFrom("enforce", "enforce", "audit", "paused"),
    keepAtLeastOne: fc.boolean(),
    maxAge: fc.constantFrom("30d", "60d"),
    minAge: fc.constantFrom("1h", "10d"),
    keep: fc.record({ hourly: fc.integer({ min: 0, max: 2 }), daily: fc.integer({ min: 0, max: 3 }) }),
    deletionsPerMinute: fc.integer({ min: 1, max: 5 }),
    ceilings: fc.constantFrom({}, { drivers: { "rbd.csi.ceph.com": 2 } }),
    rules: fc.constantFrom([], [{ name: "hourly", when: { schedules: ["hourly"] }, snapshotsToRetain: 1 }]),
    backupAnnotation: fc.constantFrom("enforce", "cap", "default"),
  },
  { requiredKeys: ["snapshotsToRetain"] },
);

function plan(world: World, policy: Policy): Plan {
  return decide(world, aPolicy(policy), NOW);
}

/** In another order, by a generator of random numbers (Lehmer's) that begins with the seed. */
function shuffled<T>(list: readonly T[], seed: number): T[] {
  let state = (seed % 2_147_483_646) + 1;
  return list
    .map((value) => ({ value, rank: (state = (state * 48_271) % 2_147_483_647) }))
    .toSorted((a, b) => a.rank - b.rank)
    .map(({ value }) => value);
}

function freedBy(result: Plan): string[] {
  return result.actions.flatMap((action) => (action.kind === "free" ? [action.key] : []));
}

/** The world after everything that a plan frees is gone, and nothing else happened. */
function after(world: World, result: Plan): World {
  const gone = new Set(freedBy(result));
  return {
    ...world,
    contents: world.contents.filter(({ metadata }) => !gone.has(metadata.name ?? "")),
    dataUploads: world.dataUploads.map((upload) =>
      gone.has(upload.metadata.name ?? "")
        ? {
            ...upload,
            metadata: {
              ...upload.metadata,
              annotations: { ...upload.metadata.annotations, "snapshot-retainer.io/released": "over_number" },
            },
          }
        : upload,
    ),
  };
}

const RUNS = { numRuns: 300 };

describe("decide, for any world and policy", () => {
  test("frees nothing that is pinned, shared, or waited for", () => {
    fc.assert(
      fc.property(someWorld, somePolicy, (world, policy) => {
        const handles = Map.groupBy(world.contents, ({ spec }) => spec.source.snapshotHandle);
        const wanted = new Set(
          world.claims
            .filter(({ status }) => status?.phase === "Pending")
            .map(({ spec }) => spec?.dataSourceRef?.name),
        );
        const sources = new Set(
          world.contents
            .filter(({ metadata }) => wanted.has(metadata.name))
            .map(({ spec }) => spec.source.snapshotHandle),
        );
        for (const action of plan(world, policy).actions) {
          if (action.kind !== "free" || action.deleting) continue;
          const content = world.contents.find(({ metadata }) => metadata.name === action.key);
          const handle = content?.spec.source.snapshotHandle;
          assert.notEqual(content?.metadata.labels?.["snapshot-retainer.io/pin"], "true");
          assert.equal(handles.get(handle)?.length, 1);
          assert.ok(!sources.has(handle));
          assert.equal(content?.metadata.labels?.["velero.io/restore-name"], undefined);
        }
      }),
      RUNS,
    );
  });

  test("keeps no more than the number, but what cannot go or is held", () => {
    fc.assert(
      fc.property(someWorld, somePolicy, (world, policy) => {
        const { volumes, snapshots } = plan(world, policy);
        for (const { volumeName, number } of volumes) {
          const kept = snapshots.filter((verdict) => verdict.volumeName === volumeName && verdict.kept);
          const byLimits = kept.filter(({ reason }) =>
            ["within_number", "kept_by_bucket", "younger_than_min_age"].includes(reason),
          );
          assert.ok(byLimits.length <= Math.max(0, number));
          assert.ok(kept.filter(({ reason }) => reason === "last_good").length <= 1);
        }
      }),
      RUNS,
    );
  });

  test("frees nothing more once its plan is done", () => {
    fc.assert(
      fc.property(someWorld, somePolicy, (world, policy) => {
        const generous = { ...policy, deletionsPerMinute: 1000 };
        const first = plan({ ...world, vanished: [] }, generous);
        const second = plan(after({ ...world, vanished: [] }, first), generous);
        // What shared a handle with one that is gone is judged anew.
        assert.deepEqual(
          freedBy(second).filter((name) => first.snapshots.some((old) => old.name === name && old.kept)),
          [],
        );
      }),
      RUNS,
    );
  });

  test("gives the same plan for the same world in any order", () => {
    fc.assert(
      fc.property(someWorld, somePolicy, fc.nat(), (world, policy, seed) => {
        const other: World = {
          ...world,
          contents: shuffled(world.contents, seed),
          snapshots: shuffled(world.snapshots, seed),
          backups: shuffled(world.backups, seed),
          dataUploads: shuffled(world.dataUploads, seed),
          vanished: shuffled(world.vanished, seed),
        };
        assert.deepEqual(plan(other, policy), plan(world, policy));
      }),
      RUNS,
    );
  });

  test("frees nothing more at a larger number", () => {
    fc.assert(
      fc.property(someWorld, somePolicy, fc.integer({ min: 1, max: 5 }), (world, policy, more) => {
        // Rules by schedule give the snapshots of one volume different numbers: then one may take another's place.
        // At 0 what nobody decided to retain is not ours.
        const least = Math.max(1, policy?.snapshotsToRetain ?? 1);
        const alike = { ...policy, snapshotsToRetain: least, rules: [], deletionsPerMinute: 1000 };
        const before = new Set(freedBy(plan(world, alike)));
        const larger = { ...alike, snapshotsToRetain: least + more };
        assert.deepEqual(
          freedBy(plan(world, larger)).filter((name) => !before.has(name)),
          [],
        );
      }),
      RUNS,
    );
  });

  test("does nothing in audit and frees nothing in paused", () => {
    fc.assert(
      fc.property(someWorld, somePolicy, (world, policy) => {
        assert.deepEqual(plan(world, { ...policy, mode: "audit" }).actions, []);
        assert.deepEqual(freedBy(plan(world, { ...policy, mode: "paused" })), []);
      }),
      RUNS,
    );
  });

  test("begins no more frees than the budget allows", () => {
    fc.assert(
      fc.property(someWorld, somePolicy, (world, policy) => {
        const { deletionsPerMinute = 60 } = policy ?? {};
        const begun = plan(world, policy).actions.filter(
          (action) => action.kind === "free" && !action.started,
        );
        assert.ok(begun.length <= Math.max(0, deletionsPerMinute - world.freedAt.length));
      }),
      RUNS,
    );
  });

  test("looks again later, not sooner", () => {
    fc.assert(
      fc.property(someWorld, somePolicy, (world, policy) => {
        assert.ok((plan(world, policy).recheckAt ?? Infinity) > NOW);
      }),
      RUNS,
    );
  });

  test("grants room only where one more fits", () => {
    fc.assert(
      fc.property(someWorld, somePolicy, (world, policy) => {
        // Rules by schedule could give the one that asks another number.
        const result = plan(world, { ...policy, rules: [], backupAnnotation: "enforce" });
        const volume = result.volumes.find(({ volumeName }) => volumeName === "app.data");
        const retained = result.snapshots.filter(
          ({ volumeName, stage }) => volumeName === "app.data" && stage === "retained",
        );
        const granted = result.room.some(({ answer }) => answer === "granted");
        assert.ok(!granted || volume === undefined || volume.number === 0 || retained.length < volume.number);
      }),
      RUNS,
    );
  });
});
