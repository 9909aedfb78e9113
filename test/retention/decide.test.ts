import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { World } from "../../src/retention/world.ts";
import type { aPolicy } from "../builders/policy.ts";
import { actionsIn, aWorld, claimed, decisionsIn, planOf, retained } from "../builders/world.ts";

interface Case {
  readonly world: readonly Partial<World>[];
  readonly policy?: Parameters<typeof aPolicy>[0];
  readonly want: Readonly<Record<string, string>>;
  readonly actions: readonly string[];
}
const four = [retained("s1", "4d"), retained("s2", "3d"), retained("s3", "2d"), retained("s4", "1d")];

const cases: Record<string, Case> = {
  "keeps as many as the number": {
    world: [...four.slice(1), claimed()],
    want: { s2: "kept within_number", s3: "kept within_number", s4: "kept within_number" },
    actions: [],
  },
  "lets the oldest go above the number": {
    world: [...four, claimed()],
    want: {
      s1: "going over_number",
      s2: "kept within_number",
      s3: "kept within_number",
      s4: "kept within_number",
    },
    actions: ["free s1"],
  },
};
describe("decide", () => {
  for (const [name, { world, policy, want, actions }] of Object.entries(cases)) {
    test(name, () => {
      const plan = planOf(aWorld(...world), policy);
      assert.deepEqual(decisionsIn(plan), want);
      assert.deepEqual(actionsIn(plan), actions);
    });
  }
});
