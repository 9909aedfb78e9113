import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { askingForRoom, mayAskForRoom } from "../../src/admission/room-needed.ts";
import type { RoomFacts } from "../../src/admission/room-needed.ts";
import { aDocument } from "../builders/documents.ts";
import { aPolicy } from "../builders/policy.ts";

type Policy = Parameters<typeof aPolicy>[0];

interface Case {
  readonly policy?: Policy;
  readonly room: RoomFacts | undefined;
  readonly asks: boolean;
}

const gold = { rules: [{ name: "gold", when: { pvcLabels: { tier: "gold" } }, snapshotsToRetain: 1 }] };
const portworx = { driver: "pxd.portworx.com" };

const cases: Record<string, Case> = {
  "below its number has room": { room: { facts: {}, taken: 2 }, asks: false },
  "at its number has none": { room: { facts: {}, taken: 3 }, asks: true },
  "above its number has none": { room: { facts: {}, taken: 9 }, asks: true },
  "without snapshots has room": {
    policy: { snapshotsToRetain: 1 },
    room: { facts: {}, taken: 0 },
    asks: false,
  },
  "with a number of none, and no ceiling, has nothing that could go": {
    policy: { snapshotsToRetain: 0 },
    room: { facts: {}, taken: 5 },
    asks: false,
  },
  "with a number of none still takes a place of the storage's": {
    policy: { snapshotsToRetain: 0, ceilings: { drivers: { "pxd.portworx.com": 2 } } },
    room: { facts: portworx, taken: 2 },
    asks: true,
  },
  "with a ceiling of none has nothing that could go": {
    policy: { snapshotsToRetain: 0, ceilings: { drivers: { "pxd.portworx.com": 0 } } },
    room: { facts: portworx, taken: 2 },
    asks: false,
  },
  "has the number of its rule": {
    policy: gold,
    room: { facts: { pvcLabels: { tier: "gold" } }, taken: 1 },
    asks: true,
  },
  "has not the number of another's rule": { policy: gold, room: { facts: {}, taken: 1 }, asks: false },
  "is at its ceiling before its number": {
    policy: { snapshotsToRetain: 9, ceilings: { drivers: { "pxd.portworx.com": 2 } } },
    room: { facts: portworx, taken: 2 },
    asks: true,
  },
  "whose number cannot be known may have no room": { room: { facts: undefined, taken: 1 }, asks: true },
  "whose number cannot be known has room where there is nothing": {
    room: { facts: undefined, taken: 0 },
    asks: false,
  },
  "of which nothing is known is not asked for": { room: undefined, asks: false },
};

describe("a volume", () => {
  for (const [name, { policy, room, asks }] of Object.entries(cases)) {
    test(name, () => {
      const asked = askingForRoom(aDocument(), room, aPolicy(policy));
      assert.equal(asked.room !== undefined, asks);
      assert.equal(asked.audit?.["room"], asks ? "needed" : undefined);
    });
  }

  test("is named as the controller knows it, with the policy's patience", () => {
    const { room } = askingForRoom(aDocument(), { facts: {}, taken: 3 }, aPolicy({ waitForRoom: "2s" }));
    assert.deepEqual(room, {
      volume: { namespace: "app", name: "data" },
      volumeName: "app.data",
      backup: { namespace: "velero", name: "nightly-1" },
      waitMs: 2_000,
    });
  });

  test("that is no PVC, or that no Backup asks for, gets no room", () => {
    const room = { facts: {}, taken: 3 };
    assert.deepEqual(askingForRoom(aDocument({ volume: { name: "lun-7" } }), room, aPolicy()), {});
    assert.deepEqual(askingForRoom(aDocument({ backup: undefined }), room, aPolicy()), {});
  });
});

describe("room may be asked for", () => {
  const alive = { controllerAlive: true, policy: aPolicy() };
  const table: Record<string, [boolean, boolean]> = {
    "of a live controller under an enforcing policy": [mayAskForRoom({ dryRun: false }, alive), true],
    "not on a dry run": [mayAskForRoom({ dryRun: true }, alive), false],
    "not without a controller": [
      mayAskForRoom({ dryRun: false }, { ...alive, controllerAlive: false }),
      false,
    ],
    "not under a policy that only watches": [
      mayAskForRoom({ dryRun: false }, { ...alive, policy: aPolicy({ mode: "audit" }) }),
      false,
    ],
    "not under a policy that is paused": [
      mayAskForRoom({ dryRun: false }, { ...alive, policy: aPolicy({ mode: "paused" }) }),
      false,
    ],
  };
  for (const [name, [found, want]] of Object.entries(table)) {
    test(name, () => assert.equal(found, want));
  }
});
