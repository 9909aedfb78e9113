import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { NOTICE_REASONS } from "../../src/retention/plan.ts";
import type { World } from "../../src/retention/world.ts";
import { ago, aWorld, claimed, planOf, retained, taking, taken } from "../builders/world.ts";

const pinned = { labels: { "snapshot-retainer.io/pin": "true" } };
const gold = [{ name: "gold", when: { pvcLabels: { tier: "gold" } }, snapshotsToRetain: 1 }];

interface Case {
  readonly world: readonly Partial<World>[];
  readonly policy?: Parameters<typeof planOf>[1];
  /** Each notice as `Reason kind/name`. */
  readonly want: readonly string[];
  readonly message?: RegExp;
}

const cases: Record<string, Case> = {
  "nothing of what is well": { world: [retained("s1", "2d"), claimed()], want: [] },
  "a volume of which all are pinned": {
    world: [retained("s1", "2d", pinned), retained("s2", "1d", pinned), claimed()],
    policy: { snapshotsToRetain: 2 },
    want: ["PinnedFull VolumeSnapshotContent/s2"],
    message: /^2 snapshots of volume app.data are pinned, and its number is 2/,
  },
  "nothing of pins at a number of 0": {
    world: [retained("s1", "2d", pinned), claimed()],
    policy: { snapshotsToRetain: 0 },
    want: [],
  },
  "a number that is chosen for want of a fact": {
    world: [retained("s1", "2d", { upload: null })],
    policy: { rules: gold },
    want: ["NumberUnknown VolumeSnapshotContent/s1"],
    message: /the policy's snapshotsToRetain, the most generous that may hold$/,
  },
  "nothing of facts that choose nothing": { world: [retained("s1", "2d", { upload: null })], want: [] },
  "a retained snapshot that is not ready for long": {
    world: [
      retained("s1", "2d", { ready: false, content: { status: { error: { message: "no such snapshot" } } } }),
      claimed(),
    ],
    want: ["NeverReady VolumeSnapshotContent/s1"],
    message: /no such snapshot$/,
  },
  "nothing of one that is not ready yet": {
    world: [retained("s1", "5m", { ready: false }), claimed()],
    want: [],
  },
  "a content that is labelled as retained, without proof": {
    world: [retained("s1", "2d", { upload: null, documents: "none" }), claimed()],
    want: ["NotBelieved VolumeSnapshotContent/s1"],
  },
  "a deletion that takes long": {
    world: [
      retained("s1", "2d", {
        deletionPolicy: "Delete",
        content: { metadata: { deletionTimestamp: ago("1h") } },
      }),
      claimed(),
    ],
    want: ["FreeStuck VolumeSnapshotContent/s1"],
    message: /see the Events of the CSI driver$/,
  },
  "nothing of a deletion that has just begun": {
    world: [
      retained("s1", "2d", {
        deletionPolicy: "Delete",
        content: { metadata: { deletionTimestamp: ago("1m") } },
      }),
      claimed(),
    ],
    want: [],
  },
  "an original that Velero left behind": {
    world: [taking("s1", "2d", { backup: "Completed" }), claimed()],
    want: ["LeakSuspected VolumeSnapshotContent/snapcontent-s1"],
  },
  "nothing of an original while its Backup is in progress": {
    world: [taking("s1", "2d"), claimed()],
    want: [],
  },
  "nothing of an original whose Backup has just ended": {
    world: [taking("s1", "5m", { backup: "Completed" }), claimed()],
    want: [],
  },
  "full pins on the VolumeSnapshot where that is all there is": {
    world: [{ ...taking("new", "0s"), contents: [] }, retained("s1", "2d", pinned), claimed()],
    policy: { snapshotsToRetain: 1 },
    want: ["PinnedFull VolumeSnapshot/velero-new"],
  },
  "a number that is not known, on what is made again": {
    world: [
      { dataUploads: retained("s2", "1d").dataUploads ?? [] },
      taken({ name: "s1", age: "2d", backup: null, upload: null, retained: true }),
      claimed(),
    ],
    policy: { rules: [{ name: "daily", when: { schedules: ["daily"] }, snapshotsToRetain: 9 }] },
    want: ["NumberUnknown VolumeSnapshotContent/s2"],
  },
};

describe("a notice tells of", () => {
  for (const [name, { world, policy, want, message }] of Object.entries(cases)) {
    test(name, () => {
      const { notices } = planOf(aWorld(...world), policy);
      assert.deepEqual(
        notices.map(({ reason, object }) => `${reason} ${object.kind}/${object.name}`),
        want,
      );
      assert.equal(new Set(notices.map(({ key }) => key)).size, notices.length);
      assert.ok(notices.every(({ reason }) => reason in NOTICE_REASONS));
      if (message !== undefined) assert.match(notices[0]?.message ?? "", message);
    });
  }
});
