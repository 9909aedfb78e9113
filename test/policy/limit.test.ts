import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { DRIVER_CEILINGS } from "../../src/policy/driver-ceilings.ts";
import { backupNumber, limitOf } from "../../src/policy/limit.ts";
import type { VolumeFacts } from "../../src/policy/limit.ts";
import { aPolicy } from "../builders/policy.ts";

type PolicyParts = Parameters<typeof aPolicy>[0];

interface Case {
  readonly policy?: PolicyParts;
  readonly volume?: VolumeFacts;
  readonly want: readonly [number, reason: string];
}

const gold = { name: "gold disks", snapshotsToRetain: 5 };
const global3 = "3: the policy's snapshotsToRetain";
const gold5 = '5: rule "gold disks"';
const longhorn = "driver.longhorn.io";

const conditions: Record<string, Case> = {
  "takes the global number without rules": { want: [3, global3] },
  "retains none without a number": {
    policy: { snapshotsToRetain: undefined },
    want: [0, "0: the policy's snapshotsToRetain"],
  },
  "takes a negative number as none": {
    policy: { snapshotsToRetain: -4 },
    want: [0, "0: the policy's snapshotsToRetain"],
  },
  "takes a rule's negative number as none": {
    policy: { rules: [{ ...gold, snapshotsToRetain: -1, when: {} }] },
    want: [0, '0: rule "gold disks"'],
  },
  "matches a rule without conditions": {
    policy: { rules: [{ ...gold, when: {} }] },
    want: [5, gold5],
  },
  "matches a driver by its exact name": {
    policy: { rules: [{ ...gold, when: { drivers: ["x.io", longhorn] } }] },
    volume: { driver: longhorn },
    want: [5, gold5],
  },
  "matches a driver by its suffix after a dot": {
    policy: { rules: [{ ...gold, when: { drivers: ["rbd.csi.ceph.com"] } }] },
    volume: { driver: "rook-ceph.rbd.csi.ceph.com" },
    want: [5, gold5],
  },
  "does not match a driver by a suffix inside a word": {
    policy: { rules: [{ ...gold, when: { drivers: ["longhorn.io"] } }] },
    volume: { driver: "notlonghorn.io" },
    want: [
      1,
      lowered(1, 3, 'drivers without a known limit (set ceilings.drivers["notlonghorn.io"] to raise it)'),
    ],
  },
  "does not match a condition on a driver that is not known": {
    policy: { rules: [{ ...gold, when: { drivers: [longhorn] } }] },
    want: [3, global3],
  },
  "matches a storage class by its exact name": {
    policy: { rules: [{ ...gold, when: { storageClasses: ["slow", "fast"] } }] },
    volume: { storageClass: "fast" },
    want: [5, gold5],
  },
  "does not take a storage class for a glob": {
    policy: { rules: [{ ...gold, when: { storageClasses: ["fa*"] } }] },
    volume: { storageClass: "fast" },
    want: [3, global3],
  },
  "matches a namespace by a glob": {
    policy: { rules: [{ ...gold, when: { namespaces: ["dev", "prod-*"] } }] },
    volume: { namespace: "prod-eu" },
    want: [5, gold5],
  },
  "does not match a namespace that only begins like an entry": {
    policy: { rules: [{ ...gold, when: { namespaces: ["prod"] } }] },
    volume: { namespace: "prod-eu" },
    want: [3, global3],
  },
  "matches a schedule by a glob": {
    policy: { rules: [{ ...gold, when: { schedules: ["night?y"] } }] },
    volume: { schedule: "nightly" },
    want: [5, gold5],
  },
  "does not match a schedule where a Backup has none": {
    policy: { rules: [{ ...gold, when: { schedules: ["*"] } }] },
    volume: { schedule: undefined },
    want: [3, global3],
  },
  "matches a PVC that carries all labels": {
    policy: { rules: [{ ...gold, when: { pvcLabels: { tier: "gold", team: "db" } } }] },
    volume: { pvcLabels: { tier: "gold", team: "db", more: "x" } },
    want: [5, gold5],
  },
  "does not match a PVC that lacks one of the labels": {
    policy: { rules: [{ ...gold, when: { pvcLabels: { tier: "gold", team: "db" } } }] },
    volume: { pvcLabels: { tier: "gold" } },
    want: [3, global3],
  },
  "does not match a label of another value": {
    policy: { rules: [{ ...gold, when: { pvcLabels: { tier: "gold" } } }] },
    volume: { pvcLabels: { tier: "Gold" } },
    want: [3, global3],
  },
  "does not find labels on an unknown PVC": {
    policy: { rules: [{ ...gold, when: { pvcLabels: { constructor: "x" } } }] },
    want: [3, global3],
  },
  "wants all conditions of a rule": {
    policy: { rules: [{ ...gold, when: { namespaces: ["app"], storageClasses: ["fast"] } }] },
    volume: { namespace: "app", storageClass: "slow" },
    want: [3, global3],
  },
  "takes the first rule that matches": {
    policy: {
      rules: [
        { name: "other", when: { namespaces: ["x"] }, snapshotsToRetain: 9 },
        { ...gold, when: { namespaces: ["app"] } },
        { name: "later", when: {}, snapshotsToRetain: 7 },
      ],
    },
    volume: { namespace: "app" },
    want: [5, gold5],
  },
  "lets a rule retain none where the policy retains some": {
    policy: { rules: [{ name: "no scratch", when: {}, snapshotsToRetain: 0 }] },
    want: [0, '0: rule "no scratch"'],
  },
};

const requests: Record<string, Case> = {
  "enforce: overrules a user's number": { volume: { requested: 1 }, want: [3, global3] },
  "cap: lets a lower number stand": {
    policy: { backupAnnotation: "cap" },
    volume: { requested: 1 },
    want: [1, instead(1, 3)],
  },
  "cap: lets a user retain none": {
    policy: { backupAnnotation: "cap" },
    volume: { requested: 0 },
    want: [0, instead(0, 3)],
  },
  "cap: takes a negative number as none": {
    policy: { backupAnnotation: "cap" },
    volume: { requested: -7 },
    want: [0, instead(0, 3)],
  },
  "cap: overrules a higher number": {
    policy: { backupAnnotation: "cap" },
    volume: { requested: 4 },
    want: [3, global3],
  },
  "cap: keeps the policy's reason for the same number": {
    policy: { backupAnnotation: "cap" },
    volume: { requested: 3 },
    want: [3, global3],
  },
  "cap: compares with the rule of the volume": {
    policy: { backupAnnotation: "cap", rules: [{ ...gold, when: { namespaces: ["app"] } }] },
    volume: { requested: 4, namespace: "app" },
    want: [4, '4: the number on the Backup, instead of 5 by rule "gold disks"'],
  },
  "default: lets a higher number stand": {
    policy: { backupAnnotation: "default" },
    volume: { requested: 9 },
    want: [9, instead(9, 3)],
  },
  "default: a ceiling holds for a user's number too": {
    policy: { backupAnnotation: "default" },
    volume: { requested: 900, driver: longhorn },
    want: [
      50,
      "50: the number on the Backup, instead of 3 by the policy's snapshotsToRetain, lowered from 900 by the ceiling of driver.longhorn.io",
    ],
  },
  "cap: passes over what is not a whole number": {
    policy: { backupAnnotation: "cap" },
    volume: { requested: Number.NaN },
    want: [3, global3],
  },
  "default: passes over a fraction": {
    policy: { backupAnnotation: "default" },
    volume: { requested: 2.5 },
    want: [3, global3],
  },
};

const many = { snapshotsToRetain: 500 };
const ceilings: Record<string, Case> = {
  "no ceiling where nothing is known of the volume": {
    policy: many,
    want: [500, "500: the policy's snapshotsToRetain"],
  },
  "the built-in ceiling of a known driver": {
    policy: many,
    volume: { driver: "csi.vsphere.vmware.com" },
    want: [2, lowered(2, 500, "csi.vsphere.vmware.com")],
  },
  "the built-in ceiling of a driver whose name Rook prefixes": {
    policy: many,
    volume: { driver: "rook-ceph.cephfs.csi.ceph.com" },
    want: [50, lowered(50, 500, "cephfs.csi.ceph.com")],
  },
  "one for a driver that is not known": {
    policy: many,
    volume: { driver: "csi.example.com" },
    want: [
      1,
      lowered(1, 500, 'drivers without a known limit (set ceilings.drivers["csi.example.com"] to raise it)'),
    ],
  },
  "none for a driver whose snapshots cannot be cloned": {
    policy: many,
    volume: { driver: "local.csi.openebs.io" },
    want: [0, lowered(0, 500, "local.csi.openebs.io")],
  },
  "the policy's ceiling of a driver raises the built-in one": {
    policy: { ...many, ceilings: { drivers: { "csi.vsphere.vmware.com": 30 } } },
    volume: { driver: "csi.vsphere.vmware.com" },
    want: [30, lowered(30, 500, "csi.vsphere.vmware.com")],
  },
  "the policy's ceiling of a driver lowers the built-in one": {
    policy: { ...many, ceilings: { drivers: { [longhorn]: 4 } } },
    volume: { driver: longhorn },
    want: [4, lowered(4, 500, longhorn)],
  },
  "the longest suffix among the policy's drivers": {
    policy: { ...many, ceilings: { drivers: { "ceph.com": 9, "rbd.csi.ceph.com": 7, "csi.ceph.com": 8 } } },
    volume: { driver: "openshift-storage.rbd.csi.ceph.com" },
    want: [7, lowered(7, 500, "rbd.csi.ceph.com")],
  },
  "the ceiling of a storage class replaces the built-in one": {
    policy: { ...many, ceilings: { storageClasses: { solidfire: 16 } } },
    volume: { driver: "csi.trident.netapp.io", storageClass: "solidfire" },
    want: [16, lowered(16, 500, "storage class solidfire")],
  },
  "not the ceiling of another storage class": {
    policy: { ...many, ceilings: { storageClasses: { solidfire: 16 } } },
    volume: { driver: "csi.trident.netapp.io", storageClass: "nas" },
    want: [100, lowered(100, 500, "csi.trident.netapp.io")],
  },
  "the lower one of storage class and driver": {
    policy: { ...many, ceilings: { storageClasses: { fast: 6 }, drivers: { [longhorn]: 4 } } },
    volume: { driver: longhorn, storageClass: "fast" },
    want: [4, lowered(4, 500, longhorn)],
  },
  "the lower one of driver and storage class": {
    policy: { ...many, ceilings: { storageClasses: { fast: 3 }, drivers: { [longhorn]: 4 } } },
    volume: { driver: longhorn, storageClass: "fast" },
    want: [3, lowered(3, 500, "storage class fast")],
  },
  "a ceiling of none": {
    policy: { ...many, ceilings: { drivers: { [longhorn]: 0 } } },
    volume: { driver: longhorn },
    want: [0, lowered(0, 500, longhorn)],
  },
  "no word of a ceiling that is not reached": {
    policy: { snapshotsToRetain: 50 },
    volume: { driver: longhorn },
    want: [50, "50: the policy's snapshotsToRetain"],
  },
  "the issue's own example": {
    policy: {
      rules: [{ ...gold, when: { namespaces: ["app"] } }],
      ceilings: { drivers: { "csi.vsphere.vmware.com": 3 } },
    },
    volume: { driver: "csi.vsphere.vmware.com", namespace: "app" },
    want: [3, '3: rule "gold disks", lowered from 5 by the ceiling of csi.vsphere.vmware.com'],
  },
};

function lowered(to: number, from: number, ceiling: string): string {
  const by = ceiling.startsWith("drivers without") ? `for ${ceiling}` : `of ${ceiling}`;
  return `${to}: the policy's snapshotsToRetain, lowered from ${from} by the ceiling ${by}`;
}

function instead(number: number, of: number): string {
  return `${number}: the number on the Backup, instead of ${of} by the policy's snapshotsToRetain`;
}

for (const [title, cases] of Object.entries({ conditions, requests, ceilings })) {
  describe(`limitOf, ${title}`, () => {
    for (const [name, { policy, volume, want }] of Object.entries(cases)) {
      test(name, () => {
        assert.deepEqual(limitOf(aPolicy(policy), volume ?? {}), { number: want[0], reason: want[1] });
      });
    }
  });
}

describe("the built-in table", () => {
  for (const { driver, ceiling } of DRIVER_CEILINGS) {
    test(`lowers ${driver} to ${ceiling}, with any prefix`, () => {
      const policy = aPolicy({ snapshotsToRetain: 100_000 });
      assert.equal(limitOf(policy, { driver }).number, ceiling);
      assert.equal(limitOf(policy, { driver: `prefix.${driver}` }).number, ceiling);
      assert.equal(limitOf(policy, { driver: `prefix-${driver}` }).number, 1);
    });
  }
});

describe("backupNumber", () => {
  const bySchedule = { name: "nightlies", when: { schedules: ["nightly*"] }, snapshotsToRetain: 7 };
  const alsoByNamespace = { ...bySchedule, when: { schedules: ["nightly*"], namespaces: ["app"] } };
  const cases: Record<string, { rules: (typeof bySchedule)[]; schedule?: string; want: [number, string] }> = {
    "takes the rule of the Backup's schedule": {
      rules: [bySchedule],
      schedule: "nightly-eu",
      want: [7, 'rule "nightlies"'],
    },
    "takes the global number for another schedule": {
      rules: [bySchedule],
      schedule: "weekly",
      want: [3, "the policy's snapshotsToRetain"],
    },
    "takes the global number for a Backup without a schedule": {
      rules: [bySchedule],
      want: [3, "the policy's snapshotsToRetain"],
    },
    "passes over rules that also ask about volumes": {
      rules: [alsoByNamespace],
      schedule: "nightly-eu",
      want: [3, "the policy's snapshotsToRetain"],
    },
    "takes the first of two rules": {
      rules: [bySchedule, { ...bySchedule, name: "second", snapshotsToRetain: 9 }],
      schedule: "nightly",
      want: [7, 'rule "nightlies"'],
    },
    "takes a negative number as none": {
      rules: [{ ...bySchedule, snapshotsToRetain: -2 }],
      schedule: "nightly",
      want: [0, 'rule "nightlies"'],
    },
  };
  for (const [name, { rules, schedule, want }] of Object.entries(cases)) {
    test(name, () => {
      assert.deepEqual(backupNumber(aPolicy({ rules }), schedule), { number: want[0], reason: want[1] });
    });
  }
  test("passes over a rule without conditions, which is about volumes", () => {
    const rules = [{ name: "all", when: {}, snapshotsToRetain: 9 }];
    assert.equal(backupNumber(aPolicy({ rules }), "nightly").number, 3);
  });
});

describe("any limit", () => {
  const number = fc.integer({ min: -10, max: 300 });
  const names = ["a", "rbd.csi.ceph.com", "csi.vsphere.vmware.com", "x.rbd.csi.ceph.com", "unknown.io"];
  const name = fc.constantFrom(...names);
  const some = fc.uniqueArray(name, { minLength: 1, maxLength: 3 });
  const rule = fc.record(
    { drivers: some, storageClasses: some, namespaces: some, schedules: some },
    { requiredKeys: [] },
  );
  const ceilingMap = fc.dictionary(name, fc.nat(200));
  const policies = fc
    .record({
      snapshotsToRetain: number,
      backupAnnotation: fc.constantFrom("enforce", "cap", "default"),
      rules: fc.array(fc.record({ when: rule, snapshotsToRetain: number }), { maxLength: 3 }),
      ceilings: fc.record({ drivers: ceilingMap, storageClasses: ceilingMap }),
    })
    .map((parts) =>
      aPolicy({ ...parts, rules: parts.rules.map((entry, index) => ({ ...entry, name: `r${index}` })) }),
    );
  const facts = fc.record(
    {
      driver: name,
      storageClass: name,
      namespace: name,
      schedule: name,
      requested: fc.oneof(number, fc.double(), fc.constant(Number.NaN)),
    },
    { requiredKeys: [] },
  );

  test("is a whole number, never negative, never above the ceiling, and its reason begins with it", () => {
    fc.assert(
      fc.property(policies, facts, (policy, volume) => {
        const { number: limit, reason } = limitOf(policy, volume);
        assert.ok(Number.isInteger(limit) && limit >= 0, `${limit}`);
        assert.ok(reason.startsWith(`${limit}: `), reason);
        assert.ok(limit <= ceilingByHand(policy.ceilings, volume), reason);
      }),
      { numRuns: 2000 },
    );
  });
});

/** The ceiling in its simplest words: the lowest of the policy's own that apply, else the table's. */
function ceilingByHand(
  own: {
    readonly drivers: Readonly<Record<string, number>>;
    readonly storageClasses: Readonly<Record<string, number>>;
  },
  { driver, storageClass }: VolumeFacts,
): number {
  const suffixes = (driver ?? "").split(".").map((_part, index, parts) => parts.slice(index).join("."));
  const byDriver = suffixes.map((suffix) => own.drivers[suffix]).find((number) => number !== undefined);
  const given = [byDriver, own.storageClasses[storageClass ?? ""]].filter((number) => number !== undefined);
  if (given.length > 0) {
    return Math.min(...given);
  }
  if (driver === undefined) {
    return Number.POSITIVE_INFINITY;
  }
  const built = suffixes.map((suffix) => DRIVER_CEILINGS.find((entry) => entry.driver === suffix)?.ceiling);
  return built.find((number) => number !== undefined) ?? 1;
}
