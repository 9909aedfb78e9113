import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { Inherited } from "../../../src/admission/inherited.ts";
import { saoRule } from "../../../src/admission/rules/snapshot-associated-object.ts";
import { SnapshotAssociatedObject } from "../../../src/policy/schema.ts";
import { decideBy, gatherBy, show } from "../../builders/decision.ts";
import type { Shown } from "../../builders/decision.ts";
import { aDocument, annotated } from "../../builders/documents.ts";
import { aLookup } from "../../builders/lookup.ts";
import type { Known } from "../../builders/lookup.ts";
import { anAcmeSnapshot } from "../../builders/objects.ts";
import type { Json, Overrides } from "../../builders/objects.ts";
import { ACME } from "../../builders/policy.ts";
import { ACME_MOVER, TENANT, VELERO } from "../../builders/request.ts";

const ALIAS = "velero.io/snapshot-alias-name";
const VOLUME = "velero.io/snapshot-volume-name";
const FIRST_ID = "00000000-0000-4000-8000-000000000001";
const where = "(policy: ConfigMap snapshot-retainer/snapshot-retainer-policy)";

interface Case {
  readonly config?: Json;
  readonly object?: Overrides;
  readonly oldObject?: Overrides;
  readonly by?: string;
  readonly known?: Known;
  readonly want: Shown;
}

const own = { "acme.io/snapshot": "true", "acme.io/tier": "gold" };

function anAcmeDocument(overrides: Partial<Inherited> = {}): Inherited {
  return aDocument({
    kind: "acme",
    alias: FIRST_ID,
    backup: undefined,
    snapshot: { driver: "acme", handle: "acme-77" },
    labels: own,
    ...overrides,
  });
}

function given(code: string, document: Inherited): Shown {
  return {
    code,
    labels: {
      ...document.labels,
      "snapshot-retainer.io/backup-name": "(removed)",
      "snapshot-retainer.io/retained": "(removed)",
      "snapshot-retainer.io/released": "(removed)",
      [ALIAS]: document.alias,
      [VOLUME]: document.volumeName,
    },
    annotations: {
      "snapshot-retainer.io/retain": "(removed)",
      "snapshot-retainer.io/limit": "(removed)",
      "snapshot-retainer.io/limit-reason": "(removed)",
      "snapshot-retainer.io/released": "(removed)",
      "snapshot-retainer.io/retained-snapshot": "(removed)",
    },
    document,
  };
}

function nameless(pointers: string): Shown {
  const warning = `snapshot-retainer: no volume is named at ${pointers}, so this object gets no labels (snapshotAssociatedObjects "acme", policy: ConfigMap snapshot-retainer/snapshot-retainer-policy)`;
  return { code: "identity_missing", warnings: [warning] };
}

const original = anAcmeDocument({ alias: "original", labels: { "acme.io/tier": "gold" } });
const cases: Record<string, Case> = {
  "of a new snapshot is an original": { want: given("labelled", anAcmeDocument()) },
  "of the snapshot of a known original is its clone": {
    object: { metadata: { name: "copy", labels: { "acme.io/snapshot": "true" } } },
    known: { originals: { "acme acme-77": { inherited: original, labels: { later: "yes" } } } },
    want: given(
      "inherited",
      anAcmeDocument({ alias: "original", labels: { "acme.io/tier": "gold", later: "yes" } }),
    ),
  },
  "of another plugin's snapshot of the same handle is no clone": {
    known: { originals: { "other acme-77": { inherited: original, labels: {} } } },
    want: given("labelled", anAcmeDocument()),
  },
  "keeps the document of an earlier pass": {
    object: { metadata: { annotations: annotated(original) } },
    want: given("inherited", original),
  },
  "does not keep a document of another snapshot": {
    object: {
      metadata: {
        annotations: annotated(anAcmeDocument({ alias: "x", snapshot: { driver: "acme", handle: "1" } })),
      },
    },
    want: given("labelled", anAcmeDocument()),
  },
  "whose snapshot is not known yet is an original without a handle": {
    object: { data: { snapshotId: undefined } },
    want: given("labelled", aDocument({ kind: "acme", alias: FIRST_ID, backup: undefined, labels: own })),
  },
  "of a volume with an id gets it as a safe label": {
    config: { volume: { name: "/data/pvcName" } },
    object: { data: { pvcName: "pool/vol 1" } },
    want: given(
      "labelled",
      // printf 'pool/vol 1' | sha256sum begins with these six digits.
      anAcmeDocument({ volumeName: "pool-vol-1-98b493", volume: { name: "pool/vol 1" } }),
    ),
  },
  "without its volume's name gets no labels": {
    object: { data: { pvcName: "" } },
    want: nameless("/data/pvcNamespace, /data/pvcName"),
  },
  "without its volume's namespace gets no labels": {
    object: { data: { pvcNamespace: undefined } },
    want: nameless("/data/pvcNamespace, /data/pvcName"),
  },
  "without its volume's id gets no labels": {
    config: { volume: { name: "/data/id" } },
    want: nameless("/data/id"),
  },
  "by anyone else is left": { by: TENANT, want: { code: "not_ours" } },
  "by Velero, which is not its plugin, is left": { by: VELERO, want: { code: "not_ours" } },
  "with forged labels by anyone else loses them": {
    object: { metadata: { labels: { ...own, [VOLUME]: "app.other" } } },
    by: TENANT,
    want: {
      code: "forged_removed",
      labels: { [VOLUME]: "(removed)" },
      warnings: [
        `snapshot-retainer: ${VOLUME} removed: only Velero and snapshot-retainer may set it ${where}`,
      ],
    },
  },
  "gets its labels back on a change": {
    object: {},
    oldObject: { metadata: { labels: { ...own, [ALIAS]: "a" } } },
    by: TENANT,
    want: {
      code: "put_back",
      labels: { [ALIAS]: "a" },
      warnings: [
        `snapshot-retainer: ${ALIAS} put back: only Velero and snapshot-retainer may change it ${where}`,
      ],
    },
  },
  "gets them back from its own plugin too": {
    object: {},
    oldObject: { metadata: { labels: { ...own, [ALIAS]: "a" } } },
    want: {
      code: "put_back",
      labels: { [ALIAS]: "a" },
      warnings: [
        `snapshot-retainer: ${ALIAS} put back: only Velero and snapshot-retainer may change it ${where}`,
      ],
    },
  },
  "being deleted is left": {
    object: { metadata: { deletionTimestamp: "2026-11-23T10:00:00Z" } },
    want: { code: "being_deleted" },
  },
};

describe("an object of another data mover plugin", () => {
  for (const [name, { config, object, oldObject, by = ACME_MOVER, known, want }] of Object.entries(cases)) {
    test(name, async () => {
      const rule = saoRule(SnapshotAssociatedObject.parse({ ...ACME, ...config }));
      const parts = {
        object: anAcmeSnapshot(object),
        by,
        ...(oldObject && { oldObject: anAcmeSnapshot(oldObject) }),
      };
      const related = await gatherBy(rule, parts, aLookup(known));
      assert.deepEqual(show(decideBy(rule, parts, related)), want);
    });
  }
});
