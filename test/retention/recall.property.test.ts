import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { decide } from "../../src/retention/decide.ts";
import { createRecall } from "../../src/retention/recall.ts";
import { someHistory, somePolicy } from "../builders/history.ts";
import { aPolicy } from "../builders/policy.ts";

describe("what a plan recalls of the one before", () => {
  test("never makes it another plan", () => {
    fc.assert(
      fc.property(someHistory, somePolicy, fc.nat({ max: 6 }), (history, given, turn) => {
        const recall = createRecall();
        const [policy, later] = [aPolicy(given), aPolicy({ ...given, snapshotsToRetain: 2 })];
        for (const [index, { world, now }] of history.entries()) {
          const inForce = index < turn ? policy : later;
          assert.deepEqual(decide(world, inForce, now, { recall }), decide(world, inForce, now));
        }
      }),
      { numRuns: 600 },
    );
  });
});
