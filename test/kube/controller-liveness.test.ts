import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { createControllerLiveness } from "../../src/kube/controller-liveness.ts";
import type { Lease } from "../../src/kube/lease.ts";

const WALL = Date.parse("2026-11-24T10:00:00Z");

/** The Lease as renewed at this many seconds of the wall clock. */
function renewedAt(seconds: number, spec: Lease["spec"] = {}): Lease {
  const renewTime = new Date(WALL + seconds * 1000).toISOString();
  return {
    metadata: { name: "snapshot-retainer-controller" },
    spec: { holderIdentity: "pod-1", leaseDurationSeconds: 15, renewTime, ...spec },
  };
}

/** What is seen, and after how many seconds; undefined: the Lease is gone. */
type Seen = readonly [seconds: number, lease: Lease | undefined];

interface Case {
  readonly seen: readonly Seen[];
  readonly askedAt: number;
  /** How far our wall clock is ahead of the controller's. */
  readonly skew?: number;
  readonly alive: boolean;
}

const cases: Record<string, Case> = {
  "is not alive before anything was seen": { seen: [], askedAt: 0, alive: false },
  "is not alive without a Lease": { seen: [[0, undefined]], askedAt: 0, alive: false },
  "is alive at first sight of a recent renewal": { seen: [[0, renewedAt(-3)]], askedAt: 0, alive: true },
  "is not alive at first sight of an old one": { seen: [[0, renewedAt(-15)]], askedAt: 0, alive: false },
  "is not alive at first sight of one far ahead": { seen: [[0, renewedAt(15)]], askedAt: 0, alive: false },
  "is not alive at first sight without a time": {
    seen: [[0, renewedAt(0, { renewTime: undefined })]],
    askedAt: 0,
    alive: false,
  },
  "is alive once an old one was renewed, whatever the clocks say": {
    seen: [
      [0, renewedAt(-3600)],
      [2, renewedAt(-3598)],
    ],
    askedAt: 16,
    alive: true,
  },
  "is alive for the whole duration after a renewal": {
    seen: [[0, renewedAt(0)]],
    askedAt: 14.9,
    alive: true,
  },
  "is not alive when the duration is over": { seen: [[0, renewedAt(0)]], askedAt: 15, alive: false },
  "is measured by the Lease's own duration": {
    seen: [[0, renewedAt(0, { leaseDurationSeconds: 3 })]],
    askedAt: 3,
    alive: false,
  },
  "is measured by fifteen seconds where the Lease says none": {
    seen: [[0, renewedAt(0, { leaseDurationSeconds: undefined })]],
    askedAt: 14.9,
    alive: true,
  },
  "is not kept alive by a Lease that is seen again unchanged": {
    seen: [
      [0, renewedAt(0)],
      [10, renewedAt(0)],
    ],
    askedAt: 15,
    alive: false,
  },
  "is not alive when the holder released it": {
    seen: [
      [0, renewedAt(0)],
      [1, renewedAt(1, { holderIdentity: "" })],
    ],
    askedAt: 1,
    alive: false,
  },
  "is not alive when the Lease is gone": {
    seen: [
      [0, renewedAt(0)],
      [1, undefined],
    ],
    askedAt: 1,
    alive: false,
  },
  "is alive with another holder": {
    seen: [
      [0, renewedAt(0)],
      [20, renewedAt(20, { holderIdentity: "pod-2" })],
    ],
    askedAt: 34,
    alive: true,
  },
  "is alive though our wall clock is an hour ahead, once it renewed": {
    seen: [
      [0, renewedAt(0)],
      [5, renewedAt(5)],
    ],
    askedAt: 6,
    skew: 3600,
    alive: true,
  },
};

describe("the controller", () => {
  for (const [name, { seen, askedAt, skew = 0, alive }] of Object.entries(cases)) {
    test(name, () => {
      let seconds = 0;
      const liveness = createControllerLiveness({
        monotonic: () => 1e6 + seconds * 1000,
        wall: () => WALL + (seconds + skew) * 1000,
      });
      for (const [at, lease] of seen) {
        seconds = at;
        liveness.update(lease);
      }
      seconds = askedAt;
      assert.equal(liveness.alive(), alive);
    });
  }
});
