import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { formatProblem, parsePolicy } from "../../src/policy/parse.ts";
import { aPolicyText } from "../builders/policy.ts";

const sao = [
  "snapshotAssociatedObjects:",
  "  - name: acme",
  "    resource: configmaps",
  "    matchLabels: { acme.io/snapshot: 'true' }",
  "    accounts: ['system:serviceaccount:acme:*']",
  "    volume: { name: /data/volume }",
  "    snapshotHandle: /data/snapshot",
];

/** Each text with every sentence that it must give, in order. */
const invalid: Record<string, readonly [text: string, ...sentences: string[]]> = {
  "an empty text": ["", "line 1: must be a RetentionPolicy document, found null"],
  "a comment alone": ["# later\n", "line 1: must be a RetentionPolicy document, found null"],
  "a list": ["- a\n", 'line 1: must be a RetentionPolicy document, found ["a"]'],
  "a plain text": ["enforce", 'line 1: must be a RetentionPolicy document, found "enforce"'],
  "a document of another kind": [
    "apiVersion: v1\nkind: ConfigMap\n",
    'line 1: apiVersion: Invalid input: expected "snapshot-retainer.io/v1alpha1", found "v1"',
    'line 2: kind: Invalid input: expected "RetentionPolicy", found "ConfigMap"',
  ],
  "no kind and version": ["mode: audit\n", "line 1: apiVersion: is required", "line 1: kind: is required"],
  "YAML that is not closed": [
    aPolicyText("rules: ["),
    "line 4: is not valid YAML: Flow sequence in block collection must be sufficiently indented and end with a ]",
  ],
  "a tab as indentation": [
    aPolicyText("rules:", "\t- name: a"),
    "line 4: is not valid YAML: Tabs are not allowed as indentation",
  ],
  "a key given twice": [
    aPolicyText("mode: audit", "mode: enforce"),
    "line 4: is not valid YAML: Map keys must be unique",
  ],
  "two documents": [
    aPolicyText("---", "mode: enforce"),
    "line 3: is not valid YAML: Source contains multiple documents; please use YAML.parseAllDocuments()",
  ],
  "an alias": [
    aPolicyText("mode: &a audit", "volumeName: *a"),
    "line 4: the alias *a is not allowed: write the value out",
  ],
  "a duration without a unit": [
    aPolicyText("waitForRoom: '5'"),
    'line 3: waitForRoom: is not a duration such as "5s", "1m30s", "72h" or "14d", found "5"',
  ],
  "ages that contradict each other": [
    aPolicyText("maxAge: 1d", "minAge: 36h"),
    "line 4: minAge: must not be more than maxAge: nothing is both kept for that long and gone before",
  ],
  "no deletions at all": [
    aPolicyText("deletionsPerMinute: 0"),
    "line 3: deletionsPerMinute: must be 1 or more; mode: paused stops deletions, found 0",
  ],
  "a bucket that is no number": [
    aPolicyText("keep: { daily: -1 }"),
    "line 3: keep.daily: must be 0 or more, found -1",
  ],
  "an unknown field": [aPolicyText("snapshotToRetain: 3"), "line 3: snapshotToRetain: unknown field"],
  "an unknown field of a rule": [
    aPolicyText("rules:", "  - name: a", "    snapshotsToRetain: 1", "    when:", "      driver: x.io"),
    "line 7: rules[0].when.driver: unknown field",
  ],
  "an unknown field beside a rule's number": [
    aPolicyText("rules:", "  - { name: a, when: {}, snapshotsToRetain: 1, limit: 2 }"),
    "line 4: rules[0].limit: unknown field",
  ],
  "unknown fields in every other part": [
    aPolicyText(
      "ceilings: { pools: {} }",
      "velero: { namespace: velero }",
      "dataMovers: { account: x }",
      ...sao,
      "    labels: {}",
    ),
    "line 3: ceilings.pools: unknown field",
    "line 4: velero.namespace: unknown field",
    "line 5: dataMovers.account: unknown field",
    "line 13: snapshotAssociatedObjects[0].labels: unknown field",
  ],
  "several problems, in the order of their lines": [
    aPolicyText("rules:", "  - name: a", "    when: { zone: x }", "mode: strict"),
    "line 4: rules[0].snapshotsToRetain: is required",
    "line 5: rules[0].when.zone: unknown field",
    'line 6: mode: Invalid option: expected one of "enforce"|"audit"|"paused", found "strict"',
  ],
  "a number in quotes": [
    aPolicyText('snapshotsToRetain: "3"'),
    'line 3: snapshotsToRetain: must be a whole number, found "3"',
  ],
  "a fraction": [
    aPolicyText("snapshotsToRetain: 1.5"),
    "line 3: snapshotsToRetain: must be a whole number, found 1.5",
  ],
  "no number": [
    aPolicyText("snapshotsToRetain:"),
    "line 3: snapshotsToRetain: must be a whole number, found null",
  ],
  "a number beyond reason": [
    aPolicyText("snapshotsToRetain: 100001"),
    "line 3: snapshotsToRetain: must be 100000 or less, found 100001",
  ],
  "a ceiling below none": [
    aPolicyText("ceilings:", "  drivers:", "    a.io: -1"),
    "line 5: ceilings.drivers.a.io: must be 0 or more, found -1",
  ],
  "an empty list of conditions": [
    aPolicyText("rules:", "  - { name: a, snapshotsToRetain: 1, when: { drivers: [] } }"),
    "line 4: rules[0].when.drivers: must list at least one name; leave the condition out to match all, found []",
  ],
  "a text instead of a list": [
    aPolicyText("rules:", "  - { name: a, snapshotsToRetain: 1, when: { drivers: a.io } }"),
    'line 4: rules[0].when.drivers: Invalid input: expected array, received string, found "a.io"',
  ],
  "no namespace of Velero": [
    aPolicyText("velero: { namespaces: [] }"),
    "line 3: velero.namespaces: Too small: expected array to have >=1 items, found []",
  ],
  "a namespace that cannot be": [
    aPolicyText("velero:", "  namespaces:", "    - velero", "    - Velero"),
    `line 6: velero.namespaces[1]: is not a namespace name (lower-case letters, digits and '-'), found "Velero"`,
  ],
  "two rules of one name": [
    aPolicyText(
      "rules:",
      "  - { name: a, when: {}, snapshotsToRetain: 1 }",
      "  - { name: b, when: {}, snapshotsToRetain: 1 }",
      "  - { name: a, when: {}, snapshotsToRetain: 1 }",
    ),
    'line 6: rules[2].name: "a" is already the name of rules[0]; names must differ',
  ],
  "two kinds of objects of one name": [
    aPolicyText(...sao, ...sao.slice(1)),
    'line 10: snapshotAssociatedObjects[1].name: "acme" is already the name of snapshotAssociatedObjects[0]; names must differ',
  ],
  "a pointer that is none": [
    aPolicyText(...sao.with(6, "    snapshotHandle: data.snapshot")),
    'line 9: snapshotAssociatedObjects[0].snapshotHandle: is not a JSON Pointer such as /data/volumeId, found "data.snapshot"',
  ],
  "objects that nobody may create": [
    aPolicyText(...sao.with(4, "    accounts: []")),
    "line 7: snapshotAssociatedObjects[0].accounts: must name who creates these objects: labels of anyone else are not believed, found []",
  ],
  "objects that no label selects": [
    aPolicyText(...sao.with(3, "    matchLabels: {}")),
    "line 6: snapshotAssociatedObjects[0].matchLabels: must select by at least one label, found {}",
  ],
  "a long value, of which it shows the beginning": [
    aPolicyText(`mode: ${"x".repeat(100)}`),
    `line 3: mode: Invalid option: expected one of "enforce"|"audit"|"paused", found "${"x".repeat(56)}...`,
  ],
};

describe("parsePolicy refuses", () => {
  for (const [name, [text, ...want]] of Object.entries(invalid)) {
    test(name, () => {
      assert.deepEqual(problemsOf(text), want);
    });
  }

  test("a bomb of aliases, at once", () => {
    const lines = Array.from({ length: 30 }, (_, n) => `a${n + 1}: &a${n + 1} [${`*a${n}, `.repeat(10)}]`);
    const problems = problemsOf(["a0: &a0 x", ...lines].join("\n"));
    assert.equal(problems.length, 300);
    assert.equal(problems[0], "line 2: the alias *a0 is not allowed: write the value out");
  });

  test("a line in a text with Windows line ends", () => {
    const text = aPolicyText("mode: audit", "more: 1").replaceAll("\n", "\r\n");
    assert.deepEqual(problemsOf(text), ["line 4: more: unknown field"]);
  });

  test("with the column of the problem", () => {
    const parsed = parsePolicy(aPolicyText("ceilings: { drivers: { a.io: -1 } }"));
    assert.deepEqual(parsed.kind === "invalid" && parsed.problems.map(({ line, column }) => [line, column]), [
      [3, 24],
    ]);
  });
});

describe("parsePolicy takes", () => {
  test("the shortest document, and fills in the defaults", () => {
    assert.deepEqual(parsePolicy(aPolicyText()), {
      kind: "policy",
      policy: {
        apiVersion: "snapshot-retainer.io/v1alpha1",
        kind: "RetentionPolicy",
        mode: "enforce",
        snapshotsToRetain: 0,
        backupAnnotation: "enforce",
        volumeName: "namespacedName",
        rules: [],
        ceilings: { drivers: {}, storageClasses: {} },
        waitForRoom: 5_000,
        keepAtLeastOne: true,
        deletionsPerMinute: 60,
        restore: {
          fromRetained: true,
          readyWithin: 300_000,
          handBackAfter: 120_000,
          acrossClusters: false,
        },
        velero: { namespaces: ["velero"] },
        dataMovers: { accounts: [] },
        snapshotAssociatedObjects: [],
      },
    });
  });

  test("a document with every field", () => {
    const parsed = parsePolicy(
      aPolicyText(
        "mode: paused",
        "snapshotsToRetain: -1",
        "backupAnnotation: cap",
        "volumeName: uid",
        "rules:",
        "  - name: gold disks",
        "    when: { drivers: [a.io], storageClasses: [fast], namespaces: ['prod-*'], pvcLabels: { tier: gold }, schedules: [nightly] }",
        "    snapshotsToRetain: 5",
        "ceilings: { drivers: { a.io: 2 }, storageClasses: { fast: 0 } }",
        "velero: { namespaces: [velero, velero-2], accounts: ['system:serviceaccount:velero:*'] }",
        "dataMovers: { accounts: ['mover-*'] }",
        "waitForRoom: 1m30s",
        "keepAtLeastOne: false",
        "maxAge: 90d",
        "minAge: 12h",
        "keep: { daily: 7, monthly: 12 }",
        "deletionsPerMinute: 5",
        "restore: { fromRetained: false, readyWithin: 90s, handBackAfter: 1h, acrossClusters: true }",
        ...sao,
        "    namespaces: [acme]",
        "    group: acme.io",
        "    version: v2",
      ),
    );
    assert.equal(parsed.kind, "policy");
    const { policy } = parsed;
    assert.equal(policy.snapshotsToRetain, -1);
    assert.deepEqual(policy.rules[0]?.when, {
      drivers: ["a.io"],
      storageClasses: ["fast"],
      namespaces: ["prod-*"],
      pvcLabels: { tier: "gold" },
      schedules: ["nightly"],
    });
    assert.deepEqual(policy.ceilings, { drivers: { "a.io": 2 }, storageClasses: { fast: 0 } });
    const { waitForRoom, maxAge, minAge, keep } = policy;
    const hour = 3_600_000;
    assert.deepEqual(
      { waitForRoom, maxAge, minAge, keep },
      {
        waitForRoom: 90_000,
        maxAge: 90 * 24 * hour,
        minAge: 12 * hour,
        keep: { hourly: 0, daily: 7, weekly: 0, monthly: 12 },
      },
    );
    assert.deepEqual(policy.restore, {
      fromRetained: false,
      readyWithin: 90_000,
      handBackAfter: hour,
      acrossClusters: true,
    });
    assert.equal(policy.snapshotAssociatedObjects[0]?.version, "v2");
  });

  test("JSON, which is YAML", () => {
    const text = '{"apiVersion":"snapshot-retainer.io/v1alpha1","kind":"RetentionPolicy","mode":"audit"}';
    const parsed = parsePolicy(text);
    assert.equal(parsed.kind === "policy" && parsed.policy.mode, "audit");
  });
});

describe("parsePolicy never throws", () => {
  const yamlish = fc.string({
    unit: fc.constantFrom(
      ...Array.from("ab:-[]{},'\"#&*!|>%@?<\n\t 10~.\\"),
      "\n  ",
      ": ",
      "- ",
      "!!",
      "*a",
      "&a ",
      "rules",
    ),
    maxLength: 80,
  });
  const texts: Record<string, fc.Arbitrary<string>> = {
    "on any text": fc.string({ unit: "binary", maxLength: 200 }),
    "on what looks like YAML": yamlish,
    "on a policy that goes on badly": yamlish.map((text) => aPolicyText(text)),
    "on a policy with any value": fc
      .tuple(
        fc.constantFrom(
          "mode",
          "rules",
          "ceilings",
          "velero",
          "dataMovers",
          "snapshotAssociatedObjects",
          "waitForRoom",
          "minAge",
          "keep",
          "x",
        ),
        fc.json(),
      )
      .map(([key, value]) => aPolicyText(`${key}: ${value}`)),
    "on any depth": fc
      .tuple(fc.integer({ min: 1, max: 1500 }), fc.constantFrom("[", "{a: ", "- ", "? "))
      .map(([depth, open]) => aPolicyText(`mode: ${open.repeat(depth)}`)),
    "on any depth that is closed again": fc
      .integer({ min: 1, max: 1500 })
      .map((depth) => aPolicyText(`mode: ${"[".repeat(depth)}${"]".repeat(depth)}`)),
  };
  for (const [name, arbitrary] of Object.entries(texts)) {
    test(`${name}, and says where each problem is`, () => {
      fc.assert(
        fc.property(arbitrary, (text) => {
          const parsed = parsePolicy(text);
          const lines = text.split(/\r\n|\r|\n/).length;
          for (const { line, column, message } of parsed.kind === "invalid" ? parsed.problems : []) {
            assert.ok(line >= 1 && line <= lines && column >= 1, `line ${line}, column ${column}`);
            assert.notEqual(message, "");
          }
          assert.ok(parsed.kind === "policy" || parsed.problems.length > 0);
        }),
        { numRuns: name.includes("depth") ? 12 : 300 },
      );
    });
  }
});

function problemsOf(text: string): string[] {
  const parsed = parsePolicy(text);
  return parsed.kind === "invalid" ? parsed.problems.map(formatProblem) : [];
}
