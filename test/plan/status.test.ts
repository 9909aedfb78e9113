import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { explain, renderExplanation, similarTo, targetsOf } from "../../src/plan/explain.ts";
import type { Explanation, Known } from "../../src/plan/explain.ts";
import { diffPolicies, renderPolicyDiff } from "../../src/plan/policy-diff.ts";
import { planRelease } from "../../src/plan/release.ts";
import { reportOf } from "../../src/plan/report.ts";
import { renderStatus, statusOf } from "../../src/plan/status.ts";
import type { VolumeStatus } from "../../src/plan/status.ts";
import { decide } from "../../src/retention/decide.ts";
import type { World } from "../../src/retention/world.ts";
import { aPolicy } from "../builders/policy.ts";
import { aWorld, claimed, NOW, retained, taken, taking, waitingFor } from "../builders/world.ts";

type Policy = Parameters<typeof aPolicy>[0];

const pinned = { labels: { "snapshot-retainer.io/pin": "true" } };

function known(world: World, policy: Policy = {}): Known {
  const parsed = aPolicy(policy);
  const plan = decide(world, parsed, NOW);
  return {
    world,
    plan,
    report: reportOf({ plan, now: NOW, mode: parsed.mode, policy: "it", verified: true }),
  };
}

function statusIn(world: readonly Partial<World>[], policy: Policy = {}): VolumeStatus | undefined {
  return statusOf(known(aWorld(...world, claimed()), policy).report)[0];
}

describe("the status of a volume", () => {
  const cases: Record<
    string,
    { world: readonly Partial<World>[]; policy?: Policy; want: Partial<VolumeStatus> }
  > = {
    "with room for more": {
      world: [retained("s1", "2d"), retained("s2", "1d")],
      want: {
        retained: 2,
        limit: 3,
        limitReason: "the policy's snapshotsToRetain",
        next: "s1",
        nextReason: "after 1 more",
      },
    },
    "at its number": {
      world: [retained("s1", "2d"), retained("s2", "1d")],
      policy: { snapshotsToRetain: 2 },
      want: {
        next: "s1",
        nextReason: "when the next snapshot is taken",
        oldest: "2026-11-22T12:00:00Z",
        newest: "2026-11-23T12:00:00Z",
      },
    },
    "over its number": {
      world: [retained("s1", "2d"), retained("s2", "1d")],
      policy: { snapshotsToRetain: 1 },
      want: {
        retained: 1,
        next: "s1",
        nextReason:
          "now: its volume has newer ones, as many as the number allows (1: the policy's snapshotsToRetain)",
      },
    },
    "while nothing may be freed": {
      world: [retained("s1", "2d"), retained("s2", "1d")],
      policy: { snapshotsToRetain: 1, mode: "paused" },
      want: {
        next: "s1",
        nextReason:
          "held: its volume has newer ones, as many as the number allows (1: the policy's snapshotsToRetain); stays meanwhile: the policy's mode is paused",
      },
    },
    "whose ceiling is lower than its number": {
      world: [retained("s1", "2d")],
      policy: { ceilings: { drivers: { "rbd.csi.ceph.com": 2 } } },
      want: { limit: 2, limitReason: "the ceiling of rbd.csi.ceph.com" },
    },
    "full of pins": {
      world: [retained("s1", "2d", pinned)],
      policy: { snapshotsToRetain: 1 },
      want: { pins: 1, next: undefined, nextReason: "none may go" },
    },
    "with one on its way": {
      world: [
        retained("s1", "2d"),
        taken({ name: "s2", age: "5m", upload: "InProgress", backup: "InProgress" }),
      ],
      want: { retained: 1, inFlight: 1, nextReason: "after 1 more" },
    },
    "with nothing retained yet": {
      world: [taking("s1", "1m")],
      want: { retained: 0, oldest: undefined, next: undefined, nextReason: "nothing is retained" },
    },
  };
  for (const [name, { world, policy, want }] of Object.entries(cases)) {
    test(name, () => assert.partialDeepStrictEqual(statusIn(world, policy), want));
  }

  test("is a line, and with -o wide a longer one", () => {
    const { report } = known(aWorld(retained("s1", "2d"), claimed()));
    const rows = statusOf(report);
    assert.match(renderStatus(rows, NOW, false), /\napp\/data +1 +3 +2 d +2 d +0 +s1 +after 2 more\n$/);
    assert.match(renderStatus(rows, NOW, true), /rbd\.csi\.ceph\.com +the policy's snapshotsToRetain\n$/);
    assert.match(renderStatus([], NOW, false), /no volume/);
  });
});

describe("explain", () => {
  const two = aWorld(retained("s1", "2d"), retained("s2", "1d", pinned), claimed());

  function explained(text: string, world = two, policy: Policy = {}): Explanation {
    const all = known(world, policy);
    const [target] = targetsOf(text, all);
    assert.ok(target !== undefined);
    return explain(target, all);
  }

  test("finds a volume, a snapshot and a Backup by what people call them", () => {
    const all = known(two);
    assert.deepEqual(targetsOf("app/data", all), [{ kind: "volume", name: "app/data" }]);
    assert.deepEqual(targetsOf("s1", all), [{ kind: "snapshot", name: "s1" }]);
    assert.deepEqual(targetsOf("b-s1", all), [{ kind: "backup", name: "velero/b-s1" }]);
    assert.deepEqual(targetsOf("velero/b-s1", all), [{ kind: "backup", name: "velero/b-s1" }]);
    assert.deepEqual(targetsOf("nothing", all), []);
  });
  test("finds a snapshot by its VolumeSnapshot", () => {
    const all = known(aWorld(taking("s9", "1m"), claimed()));
    assert.deepEqual(targetsOf("app/velero-s9", all), [{ kind: "snapshot", name: "snapcontent-s9" }]);
  });
  test("offers names that are like it", () => {
    assert.deepEqual(similarTo("b-s", known(two)), ["b-s1", "b-s2"]);
  });
  test("says of a pinned snapshot how to let it go", () => {
    const { facts, todo } = explained("s2");
    assert.match(facts.find(({ name }) => name === "decision")?.text ?? "", /^stays: pinned .*\(pinned\)$/);
    assert.deepEqual(todo, ["let it go: snapshot-retainer unpin s2"]);
  });
  test("says of one that goes how to keep it", () => {
    const { facts, todo } = explained("s1", two, { snapshotsToRetain: 1 });
    assert.match(
      facts.find(({ name }) => name === "decision")?.text ?? "",
      /^goes: its volume has newer ones/,
    );
    assert.match(todo[0] ?? "", /snapshot-retainer pin s1/);
  });
  test("says of a volume what is on the storage, and what was noticed", () => {
    const { facts } = explained("app/data", two, { snapshotsToRetain: 1 });
    assert.match(
      facts.find(({ name }) => name === "on storage")?.text ?? "",
      /^2 snapshots: 2 retained, 1 pinned$/,
    );
    assert.ok(facts.some(({ text }) => text.startsWith("PinnedFull")));
  });
  test("says of a Backup that moves no data that it is none of ours", () => {
    const world = aWorld(retained("s1", "1d", { backupObject: { spec: { snapshotMoveData: false } } }));
    const { facts } = explained("b-s1", world);
    assert.match(facts.find(({ name }) => name === "moves data")?.text ?? "", /none of ours/);
  });
  test("is text for people", () => {
    const text = renderExplanation(explained("app/data"), false);
    assert.match(text, /^volume app\/data\n {2}limit +3: .*\n[\s\S]* {2}SNAPSHOT +BACKUP/);
  });
});

describe("release", () => {
  const now = NOW;
  test("frees all that nothing protects, the last good one too", () => {
    const world = aWorld(
      retained("s1", "2d"),
      retained("s2", "1d", pinned),
      retained("l1", "1d", { pvc: "logs" }),
      claimed(),
    );
    const { going, staying } = planRelease(world, aPolicy(), { volume: "app/data", now, unpin: false });
    assert.deepEqual([going.map(({ name }) => name), staying.map(({ name }) => name)], [["s1"], ["s2"]]);
    assert.equal(planRelease(world, aPolicy(), { volume: "app/data", now, unpin: true }).staying.length, 0);
  });
  test("leaves alone what a claim is being made from", () => {
    const world = aWorld(
      retained("s1", "2d"),
      claimed(),
      { snapshots: taking("s1", "2d", { documents: "none" }).snapshots ?? [] },
      waitingFor("s1"),
    );
    const { going, staying } = planRelease(world, aPolicy(), { volume: "app/data", now, unpin: false });
    assert.equal(going.length + staying.length, 1);
  });
});

describe("a policy beside today's", () => {
  const world = aWorld(
    retained("s1", "2d"),
    retained("s2", "1d"),
    retained("l1", "1d", { pvc: "logs" }),
    claimed(),
  );
  function diff(policy: Policy): string {
    return renderPolicyDiff(diffPolicies(known(world).report, known(world, policy).report), false);
  }
  test("shows whose number changes, and how many go", () => {
    const text = diff({ rules: [{ name: "few", when: { namespaces: ["app"] }, snapshotsToRetain: 1 }] });
    assert.match(text, /app\/data +3 +1 +2 +1 +rule "few" \(today: the policy's snapshotsToRetain\)/);
    assert.match(text, /2 of 2 volumes would change, 1 snapshots would go/);
  });
  test("says when nothing does", () =>
    assert.equal(diff({}), "0 of 2 volumes would change, 0 snapshots would go\n"));
});
