import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { World } from "../../src/retention/world.ts";
import type { aPolicy } from "./policy.ts";
import { actionsIn, aWorld, decisionsIn, planOf } from "./world.ts";

/** A world, and what the plan makes of it; each case's name reads as a rule. */
export interface PlanCase {
  readonly world: readonly Partial<World>[];
  readonly policy?: Parameters<typeof aPolicy>[0];
  /** Each snapshot with its decision, as `decisionsIn` writes it. */
  readonly want: Readonly<Record<string, string>>;
  /** Each action, as `actionsIn` writes it; not looked at where left out. */
  readonly actions?: readonly string[];
}

/** One test for each case. */
export function testPlans(title: string, cases: Readonly<Record<string, PlanCase>>): void {
  describe(title, () => {
    for (const [name, { world, policy, want, actions }] of Object.entries(cases)) {
      test(name, () => {
        const plan = planOf(aWorld(...world), policy);
        assert.deepEqual(decisionsIn(plan), want);
        if (actions !== undefined) assert.deepEqual(actionsIn(plan), actions);
      });
    }
  });
}
