import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { volumeSnapshotContentRule } from "../../src/admission/rules/volume-snapshot-content.ts";
import type { Surroundings } from "../../src/admission/rule.ts";
import { decideBy, gatherBy, show } from "../builders/decision.ts";
import { aContentDocument, aDocument, annotated } from "../builders/documents.ts";
import { aLookup } from "../builders/lookup.ts";
import type { Known } from "../builders/lookup.ts";
import { aCloneContent, aDataUpload, DRIVER, HANDLE } from "../builders/objects.ts";
import type { Json, Overrides } from "../builders/objects.ts";
import { aPolicy } from "../builders/policy.ts";
import { ACME_MOVER, OWN, TENANT, VELERO } from "../builders/request.ts";

const ALIAS = "velero.io/snapshot-alias-name";
const GROUP = "groupsnapshot.storage.k8s.io/volumeGroupSnapshotHandle";
const document = aContentDocument();
const kept = { "snapshot-retainer.io/retain": "true", "snapshot-retainer.io/limit": "3" };

/** The DataUpload of a clone, decided to be retained. */
function anUpload(overrides: Overrides = {}): Json {
  return aDataUpload({
    ...overrides,
    metadata: {
      name: "nightly-1-b4c5d",
      labels: { [ALIAS]: document.alias },
      annotations: { ...annotated(aDocument()), ...kept },
      ...overrides.metadata,
    },
  });
}

function decidedAs(retain: string, limit: string | undefined): Json {
  const decision = { "snapshot-retainer.io/retain": retain, "snapshot-retainer.io/limit": limit };
  return anUpload({ metadata: { annotations: { ...annotated(aDocument()), ...decision } } });
}

interface Case {
  readonly upload?: Json | undefined;
  readonly content?: Overrides;
  readonly by?: string;
  readonly known?: Known;
  readonly context?: Partial<Surroundings>;
  readonly want: string;
  readonly reason?: string;
}

const movers = { policy: aPolicy({ dataMovers: { accounts: [ACME_MOVER] } }) };
const original = { [`${DRIVER} ${HANDLE}`]: { inherited: document, labels: {} } };
/** A clone as another data mover names it, elsewhere. */
const elsewhere: Overrides = {
  metadata: { name: "acme-1" },
  spec: { volumeSnapshotRef: { name: "acme-1", namespace: "acme-mover" } },
};
const acmeUpload = anUpload({ spec: { datamover: "acme" } });

const cases: Record<string, Case> = {
  "of a DataUpload that wants it gets Retain": { upload: anUpload(), want: "retain_set" },
  "of one that runs gets Retain": {
    upload: anUpload({ status: { phase: "InProgress" } }),
    want: "retain_set",
  },
  "of one that Velero itself moves by name gets Retain": {
    upload: anUpload({ spec: { datamover: "velero" } }),
    want: "retain_set",
  },
  "of no DataUpload stays as it is": { known: { originals: original }, want: "inherited" },
  "of one that does not want it stays as it is": { upload: decidedAs("false", "0"), want: "inherited" },
  "of one with a number of none stays as it is": { upload: decidedAs("true", "0"), want: "inherited" },
  "of one without a number stays as it is": { upload: decidedAs("true", undefined), want: "inherited" },
  "of one with a number that is none stays as it is": {
    upload: decidedAs("true", "many"),
    want: "inherited",
  },
  "of one that was decided while no webhook answered stays as it is": {
    upload: anUpload({ metadata: { annotations: annotated(aDocument()) } }),
    want: "inherited",
  },
  "of one with another snapshot's document stays as it is": {
    upload: anUpload({ metadata: { annotations: { ...annotated(aDocument({ alias: "other" })), ...kept } } }),
    known: { originals: original },
    want: "inherited",
  },
  ...Object.fromEntries(
    ["Completed", "Failed", "Canceled"].map((phase) => [
      `of one that is ${phase} is refused`,
      {
        upload: anUpload({ status: { phase } }),
        want: "retain_refused",
        reason: `the DataUpload is ${phase} already`,
      },
    ]),
  ),
  "without a controller is refused": {
    upload: anUpload(),
    context: { controllerAlive: false },
    want: "retain_refused",
    reason: "no retention controller is running that could free it",
  },
  "of a group is refused": {
    upload: anUpload(),
    content: { metadata: { annotations: { ...annotated(document), [GROUP]: "group-1" } } },
    want: "retain_refused",
    reason: "it was taken with a VolumeGroupSnapshot, and storage is freed for such a group alone",
  },
  "under a paused policy is refused": {
    upload: anUpload(),
    context: { policy: aPolicy({ mode: "paused" }) },
    want: "retain_refused",
    reason: "the policy is paused, and what is retained now could not be freed",
  },
  "outside Velero's namespaces stays as it is": {
    upload: anUpload({ metadata: { namespace: "app" } }),
    content: { spec: { volumeSnapshotRef: { name: "nightly-1-b4c5d", namespace: "app" } } },
    known: { originals: original },
    want: "inherited",
  },
  "with a name of its own stays as it is, where Velero moves the data": {
    upload: anUpload(),
    content: elsewhere,
    known: { originals: original },
    want: "inherited",
  },
  "by another data mover gets Retain, found by the original of its handle": {
    upload: acmeUpload,
    content: elsewhere,
    by: ACME_MOVER,
    known: { originals: original },
    context: movers,
    want: "retain_set",
  },
  "by another data mover gets Retain, found by the document that it copied": {
    upload: acmeUpload,
    content: { ...elsewhere, metadata: { name: "acme-1", annotations: annotated(document) } },
    by: ACME_MOVER,
    context: movers,
    want: "retain_set",
  },
  "by another data mover under Velero's account gets Retain": {
    upload: acmeUpload,
    content: elsewhere,
    known: { originals: original },
    want: "retain_set",
  },
  "by another data mover stays as it is, where nobody names that mover": {
    upload: acmeUpload,
    content: elsewhere,
    by: ACME_MOVER,
    known: { originals: original },
    want: "inherited",
  },
  "by another data mover stays as it is for a DataUpload of Velero's": {
    upload: anUpload(),
    content: elsewhere,
    by: ACME_MOVER,
    known: { originals: original },
    context: movers,
    want: "inherited",
  },
  "by another data mover stays as it is, where a forged alias leads to another's DataUpload": {
    upload: anUpload({
      metadata: { annotations: { ...annotated(aDocument({ alias: "other" })), ...kept } },
      spec: { datamover: "acme" },
    }),
    content: elsewhere,
    by: ACME_MOVER,
    known: { originals: original },
    context: movers,
    want: "inherited",
  },
  "by a tenant stays as it is, of another mover's DataUpload": {
    upload: acmeUpload,
    content: elsewhere,
    by: TENANT,
    known: { originals: original },
    want: "inherited",
  },
  "of our own is left": { upload: anUpload(), by: OWN, want: "own_account" },
  "that Velero makes to delete a backup is left": {
    upload: anUpload({ metadata: { namespace: "ns-1c6a4bb6-21bf-4c17-8cf6-1a0c5a6d6a2c" } }),
    content: {
      spec: {
        volumeSnapshotRef: {
          name: "name-1c6a4bb6-21bf-4c17-8cf6-1a0c5a6d6a2c",
          namespace: "ns-1c6a4bb6-21bf-4c17-8cf6-1a0c5a6d6a2c",
        },
      },
    },
    want: "temporary_content",
  },
  "of a native restore is left": {
    upload: anUpload(),
    content: { metadata: { name: "nightly-1-b4c5d", labels: { "velero.io/restore-name": "r" } } },
    want: "native_restore",
  },
};

describe("the deletion policy of a clone", () => {
  for (const [name, { upload, content = {}, by = VELERO, known, context, want, reason }] of Object.entries(
    cases,
  )) {
    test(name, async () => {
      const base = { metadata: { name: "nightly-1-b4c5d" } };
      const parts = { object: aCloneContent({ ...base, ...content }), by };
      const lookup = aLookup({ ...known, dataUploads: upload === undefined ? [] : [upload] });
      const related = await gatherBy(volumeSnapshotContentRule, parts, lookup, context);
      const outcome = decideBy(volumeSnapshotContentRule, parts, related, context);
      const { code, spec, warnings } = show(outcome);
      assert.equal(code, want);
      const isSet = want === "retain_set";
      assert.deepEqual(spec, isSet ? { deletionPolicy: "Retain" } : undefined);
      assert.deepEqual(outcome.edits?.finalizers, isSet ? ["snapshot-retainer.io/hold"] : undefined);
      assert.equal(
        outcome.edits?.labels?.["velero.io/exclude-from-backup"],
        isSet ? "true" : undefined,
        "Velero would else back up a content that no other cluster has a use for",
      );
      assert.deepEqual(
        warnings,
        reason === undefined ? undefined : [`snapshot-retainer: app.data: not retained: ${reason}`],
      );
      if (want.startsWith("retain")) {
        assert.equal(outcome.audit?.["retain"], String(want === "retain_set"));
        assert.equal(outcome.audit["reason"], reason ?? "DataUpload nightly-1-b4c5d wants it retained");
      }
    });
  }

  test("would be Retain in audit mode too, which then changes nothing", async () => {
    const context = { policy: aPolicy({ mode: "audit" }) };
    const parts = { object: aCloneContent() };
    const related = await gatherBy(
      volumeSnapshotContentRule,
      parts,
      aLookup({ dataUploads: [anUpload()] }),
      context,
    );
    assert.equal(decideBy(volumeSnapshotContentRule, parts, related, context).code, "retain_set");
  });
});
