import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { generousCeiling, generousNumber, UNBOUNDED } from "../../src/policy/generous.ts";
import { ceilingOf, numberOf } from "../../src/policy/limit.ts";
import type { UncertainFact, VolumeFacts } from "../../src/policy/limit.ts";
import type { Rule } from "../../src/policy/schema.ts";
import { aPolicy } from "../builders/policy.ts";

const DRIVER = "rbd.csi.ceph.com";

interface Case {
  readonly policy: Parameters<typeof aPolicy>[0];
  readonly volume?: VolumeFacts;
  readonly unknown: readonly UncertainFact[];
  readonly want: number;
}

function rule(name: string, when: Rule["when"], snapshotsToRetain: number): Rule {
  return { name, when, snapshotsToRetain };
}

const numbers: Record<string, Case> = {
  "is that of the rules where all is known": {
    policy: { rules: [rule("a", { schedules: ["daily"] }, 7)] },
    volume: { schedule: "daily" },
    unknown: [],
    want: 7,
  },
  "is the largest of what may hold": {
    policy: { rules: [rule("a", { schedules: ["daily"] }, 7)] },
    unknown: ["schedule"],
    want: 7,
  },
  "is the policy's own where that is larger": {
    policy: { snapshotsToRetain: 9, rules: [rule("a", { schedules: ["daily"] }, 7)] },
    unknown: ["schedule"],
    want: 9,
  },
  "ends with the first rule that holds for certain": {
    policy: {
      rules: [
        rule("a", { pvcLabels: { tier: "gold" } }, 1),
        rule("b", { namespaces: ["app"] }, 2),
        rule("c", {}, 8),
      ],
    },
    volume: { namespace: "app" },
    unknown: ["pvcLabels"],
    want: 2,
  },
  "passes over a rule that does not hold whatever is unknown": {
    policy: { rules: [rule("a", { namespaces: ["other"], schedules: ["daily"] }, 7)] },
    volume: { namespace: "app" },
    unknown: ["schedule"],
    want: 3,
  },
  "takes labels that are known for certain": {
    policy: { rules: [rule("a", { pvcLabels: { tier: "gold", zone: "a" } }, 7)] },
    volume: { pvcLabels: { tier: "silver" } },
    unknown: ["pvcLabels"],
    want: 3,
  },
  "takes a label that is not among the known ones for unknown": {
    policy: { rules: [rule("a", { pvcLabels: { tier: "gold", zone: "a" } }, 7)] },
    volume: { pvcLabels: { tier: "gold" } },
    unknown: ["pvcLabels"],
    want: 7,
  },
  "takes a storage class that is unknown for any": {
    policy: { rules: [rule("a", { storageClasses: ["fast"] }, 7)] },
    unknown: ["storageClass"],
    want: 7,
  },
  "has no bound where a user's larger number may stand": {
    policy: { backupAnnotation: "default" },
    unknown: ["requested"],
    want: UNBOUNDED,
  },
  "is not lowered by a user's number that is not known": {
    policy: { backupAnnotation: "cap" },
    unknown: ["requested"],
    want: 3,
  },
  "is lowered by a user's number that is known": {
    policy: { backupAnnotation: "cap" },
    volume: { requested: 1 },
    unknown: [],
    want: 1,
  },
};

describe("the most generous number", () => {
  for (const [name, { policy, volume, unknown, want }] of Object.entries(numbers)) {
    test(name, () => {
      const facts = { ...volume, unknown: new Set(unknown) };
      assert.equal(generousNumber(aPolicy(policy), facts).number, want);
      if (unknown.length === 0) {
        assert.equal(numberOf(aPolicy(policy), facts).number, want);
      }
    });
  }
});

const fast = { storageClasses: { fast: 4, slow: 2 } };
const ceilings: Record<string, Case> = {
  "is that of a known class": {
    policy: { ceilings: fast },
    volume: { driver: DRIVER, storageClass: "slow" },
    unknown: [],
    want: 2,
  },
  "is the highest that may hold": {
    policy: { ceilings: fast },
    volume: { driver: "unknown.io" },
    unknown: ["storageClass"],
    want: 4,
  },
  "is the driver's where no class raises it": {
    policy: { ceilings: fast },
    volume: { driver: DRIVER },
    unknown: ["storageClass"],
    want: 100,
  },
  "is the driver's where the policy names no class": {
    policy: {},
    volume: { driver: DRIVER },
    unknown: ["storageClass"],
    want: 100,
  },
};

describe("the most generous ceiling", () => {
  for (const [name, { policy, volume, unknown, want }] of Object.entries(ceilings)) {
    test(name, () => {
      const facts = { ...volume, unknown: new Set(unknown) };
      assert.equal(generousCeiling(aPolicy(policy), facts)?.number, want);
      if (unknown.length === 0) {
        assert.equal(ceilingOf(aPolicy(policy), facts)?.number, want);
      }
    });
  }
  test("is none where neither driver nor class is known", () => {
    assert.equal(generousCeiling(aPolicy(), { unknown: new Set() }), undefined);
  });
});
