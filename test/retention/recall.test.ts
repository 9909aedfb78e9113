import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { decide } from "../../src/retention/decide.ts";
import { createRecall } from "../../src/retention/recall.ts";
import type { World } from "../../src/retention/world.ts";
import { aPolicy } from "../builders/policy.ts";
import { aWorld, claimed, msAgo, NOW, reservation, retained } from "../builders/world.ts";

type Policy = Parameters<typeof aPolicy>[0];

const LOGS = claimed({ metadata: { name: "logs", uid: "uid-logs" }, spec: { volumeName: "pv-2" } });

/** The claim "logs", and the volume on the storage behind it. */
function otherVolume(volumeHandle: string): Partial<World> {
  const csi = { driver: "rbd.csi.ceph.com", volumeHandle };
  return {
    ...LOGS,
    ...claimed({}, { metadata: { name: "pv-2" }, spec: { csi } }),
    claims: LOGS.claims ?? [],
  };
}

describe("a plan that recalls the one before", () => {
  const pinned = { labels: { "snapshot-retainer.io/pin": "true" } };
  const unknown = { volumeHandle: undefined };
  const histories: Record<
    string,
    { policy: Policy; first: readonly Partial<World>[]; later: Partial<World> }
  > = {
    "speaks again of a volume that is full of pins": {
      policy: { snapshotsToRetain: 1 },
      first: [retained("s1", "1d", pinned), claimed()],
      later: {},
    },
    "speaks again of a number that is not known": {
      policy: { rules: [{ name: "gold", when: { pvcLabels: { tier: "gold" } }, snapshotsToRetain: 2 }] },
      first: [retained("s1", "1d", { documents: "content" })],
      later: {},
    },
    "speaks again of one that is not ready": {
      policy: {},
      first: [retained("s1", "1d", { ready: false }), claimed()],
      later: {},
    },
    "goes on waiting where no more may be freed in this minute": {
      policy: { snapshotsToRetain: 1, deletionsPerMinute: 1 },
      first: [retained("s1", "2d"), retained("s2", "1d"), claimed(), { freedAt: [msAgo("1s")] }],
      later: {},
    },
    "does again what was not done yet": {
      policy: {},
      first: [retained("s1", "1d", { documents: "upload" }), claimed()],
      later: {},
    },
    "lets the oldest go when its volume comes under another name": {
      policy: { ceilings: { drivers: { "rbd.csi.ceph.com": 2 } } },
      first: [retained("s1", "2d"), retained("s2", "1d"), claimed()],
      later: retained("again", "1h", { pvc: "again" }),
    },
    "lets one go when two claims turn out to have one volume": {
      policy: { ceilings: { drivers: { "rbd.csi.ceph.com": 1 } } },
      first: [
        retained("s1", "2d", unknown),
        retained("l1", "1d", { pvc: "logs", ...unknown }),
        claimed(),
        otherVolume("vol-2"),
      ],
      later: otherVolume("vol-1"),
    },
    "makes room where nothing but the name is known of a volume": {
      policy: { snapshotsToRetain: 1 },
      first: [retained("s1", "1d", unknown)],
      later: reservation("1s"),
    },
  };
  for (const [name, { policy: given, first, later }] of Object.entries(histories)) {
    test(name, () => {
      const recall = createRecall();
      const policy = aPolicy(given);
      const before = aWorld(...first);
      decide(before, policy, NOW, { recall });
      const world = aWorld(before, later);
      assert.deepEqual(decide(world, policy, NOW, { recall }), decide(world, policy, NOW));
    });
  }

  const steady = aWorld(
    retained("s1", "2d"),
    retained("s2", "1d"),
    retained("l1", "1d", { pvc: "logs", volumeHandle: "vol-2" }),
    claimed(),
    LOGS,
  );

  /** The verdicts of the second plan that were not even written again. */
  function recalled(second: Partial<World>): string[] {
    const recall = createRecall();
    const policy = aPolicy();
    const first = decide(steady, policy, NOW, { recall });
    const known = new Set(first.snapshots);
    const { snapshots } = decide({ ...steady, ...second }, policy, NOW + 1000, { recall });
    return snapshots.filter((verdict) => known.has(verdict)).map(({ name }) => name);
  }

  test("is all that is steady", () => {
    assert.deepEqual(recalled({}), ["s2", "s1", "l1"]);
  });

  test("is not the volume that something happened to", () => {
    const [first, ...others] = steady.contents;
    const touched = first && { ...first, metadata: { ...first.metadata, resourceVersion: "99" } };
    assert.deepEqual(recalled({ contents: [...(touched ? [touched] : []), ...others] }), ["l1"]);
    const { backups = [], reservations = [] } = reservation("1s");
    const asking = { backups: [...steady.backups, ...backups], reservations };
    assert.deepEqual(recalled({ freedAt: [msAgo("1s")], ...asking }), ["l1"]);
  });
});
