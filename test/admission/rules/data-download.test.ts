import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { LookupFailed } from "../../../src/admission/lookup.ts";
import type { Lookup } from "../../../src/admission/lookup.ts";
import type { Inherited } from "../../../src/admission/inherited.ts";
import { dataDownloadRule } from "../../../src/admission/rules/data-download.ts";
import { readRequest } from "../../../src/admission/request.ts";
import type { Surroundings } from "../../../src/admission/rule.ts";
import { createSigner } from "../../../src/admission/signer.ts";
import { someSurroundings } from "../../builders/context.ts";
import { decideBy, gatherBy, show } from "../../builders/decision.ts";
import type { Shown } from "../../builders/decision.ts";
import { aContentDocument, aDocument, annotated } from "../../builders/documents.ts";
import { aLookup } from "../../builders/lookup.ts";
import type { Known } from "../../builders/lookup.ts";
import {
  aCloneContent,
  aDataDownload,
  aDataUpload,
  DRIVER,
  HANDLE,
  SNAPSHOT_ID,
} from "../../builders/objects.ts";
import type { Json, Overrides } from "../../builders/objects.ts";
import { aPolicy } from "../../builders/policy.ts";
import { aRequest, OWN, TENANT } from "../../builders/request.ts";
import type { RequestParts } from "../../builders/request.ts";

const NAME = "nightly-1-b4c5d";
const DECISION = "snapshot-retainer.io/restore-decision";
const SOURCE = "snapshot-retainer.io/restore-source";
const RELEASED = "snapshot-retainer.io/released";
const SECRET = "snapshot.storage.kubernetes.io/deletion-secret";
const GROUP = "groupsnapshot.storage.k8s.io/volumeGroupSnapshotHandle";
const RETAINED = { "snapshot-retainer.io/retained": "true" };
const ACROSS = { restore: { acrossClusters: true } };

/** The retained content of the backup's snapshot. */
function retained(overrides: Overrides = {}, document: Inherited = aContentDocument()): Json {
  const { metadata, spec, status } = overrides;
  return aCloneContent({
    metadata: {
      labels: { "snapshot-retainer.io/retained": "true" },
      annotations: annotated(document),
      ...metadata,
    },
    spec: { deletionPolicy: "Retain", ...spec },
    status: { snapshotHandle: HANDLE, readyToUse: true, ...status },
  });
}

/** The DataUpload that moved the data. */
function moved(overrides: Overrides = {}): Json {
  const { metadata, spec, status } = overrides;
  return aDataUpload({
    metadata: {
      name: NAME,
      annotations: annotated(aDocument({ snapshot: { driver: DRIVER, handle: HANDLE } })),
      ...metadata,
    },
    spec: { ...spec },
    status: { phase: "Completed", snapshotID: SNAPSHOT_ID, ...status },
  });
}

/** What the backup says of the data. */
function result(
  record: Record<string, string> | null = {},
  changes: object = {},
): Required<Known>["results"][number] {
  const recorded = {
    retainedSnapshot: NAME,
    snapshotHandle: HANDLE,
    driver: DRIVER,
    alias: aDocument().alias,
    ...record,
  };
  return {
    snapshotID: SNAPSHOT_ID,
    sourceNamespace: "app",
    dataMoverResult: record === null ? null : recorded,
    ...changes,
  };
}

const held = { "app/data": [NAME] };
const usual: Known = { contents: [retained()], retained: held, dataUploads: [moved()] };
/** As after the Backup was brought back from the object storage: the DataUpload is gone. */
const synced: Known = { contents: [retained()], retained: held, results: [result()] };

function fromRetained(changes: object = {}): Shown {
  const source = { name: NAME, driver: DRIVER, handle: HANDLE, local: true, backup: "nightly-1" };
  return {
    code: "restore_from_retained",
    annotations: {
      [DECISION]: `from retained snapshot ${NAME} of backup nightly-1`,
      [SOURCE]: JSON.stringify({ ...source, snapshotClass: "fast", ...changes }),
    },
    spec: { datamover: "snapshot-retainer" },
  };
}

function elsewhere(changes: object = {}): Shown {
  const source = { name: NAME, driver: DRIVER, handle: HANDLE, local: false, ...changes };
  return {
    code: "restore_from_retained",
    annotations: {
      [DECISION]: `from retained snapshot ${NAME} of another cluster`,
      [SOURCE]: JSON.stringify(source),
    },
    spec: { datamover: "snapshot-retainer" },
  };
}

function byMovement(why: string): Shown {
  return {
    code: "restore_by_data_movement",
    annotations: { [DECISION]: `by data movement: ${why}`, [SOURCE]: "(removed)" },
  };
}

interface Case {
  readonly request?: Partial<RequestParts>;
  readonly known?: Known;
  readonly policy?: Parameters<typeof aPolicy>[0];
  readonly surroundings?: Partial<Surroundings>;
  readonly want: Shown;
}

const other = aContentDocument({ alias: "other" });
const strange = annotated(aContentDocument(), createSigner(Buffer.alloc(32, 1)));

const taken: Record<string, Case> = {
  "where its DataUpload tells which snapshot it moved": { known: usual, want: fromRetained() },
  "where its backup tells": { known: synced, want: fromRetained() },
  "whatever Velero's data mover is called": {
    request: { object: aDataDownload({ spec: specWith({ datamover: "velero" }) }) },
    known: usual,
    want: fromRetained(),
  },
  "with the Secret that its driver needs": {
    known: {
      ...usual,
      contents: [
        retained({
          metadata: {
            annotations: {
              ...annotated(aContentDocument()),
              [`${SECRET}-name`]: "array",
              [`${SECRET}-namespace`]: "kube-system",
            },
          },
        }),
      ],
    },
    want: fromRetained({ deletionSecretName: "array", deletionSecretNamespace: "kube-system" }),
  },
  "of several, from that of its own backup": {
    known: {
      ...usual,
      contents: [retained({ metadata: metadataOf("newer", other) }), retained()],
      retained: { "app/data": ["newer", NAME] },
    },
    want: fromRetained(),
  },
  "where the backup tells no more than driver and handle": {
    known: {
      ...synced,
      results: [{ ...result(), dataMoverResult: { driver: DRIVER, snapshotHandle: HANDLE } }],
    },
    want: fromRetained(),
  },
  "where the DataUpload has no document, and the backup tells": {
    known: { ...synced, dataUploads: [moved({ metadata: { annotations: {} } })] },
    want: fromRetained(),
  },
  "under a policy that is paused": { policy: { mode: "paused" }, known: usual, want: fromRetained() },
  "of another cluster, where the policy allows that": {
    policy: ACROSS,
    known: {
      results: [result({ snapshotClass: "fast", deletionSecretName: "a", deletionSecretNamespace: "b" })],
    },
    want: elsewhere({ snapshotClass: "fast", deletionSecretName: "a", deletionSecretNamespace: "b" }),
  },
};

const notRetained = byMovement("no snapshot of app/data was retained by its backup");
const notRetainedByBackup = byMovement("no snapshot of app/data was retained by backup nightly-1");

function flawed(overrides: Overrides): Known {
  return { ...usual, contents: [retained(overrides)] };
}

const left: Record<string, Case> = {
  "when the policy does not allow it": {
    policy: { restore: { fromRetained: false } },
    known: usual,
    want: byMovement("the policy does not allow it"),
  },
  "when no controller is alive": {
    surroundings: { controllerAlive: false },
    known: usual,
    want: byMovement("no retention controller is running"),
  },
  "when nothing of the claim is retained": { want: byMovement("no snapshot of app/data is retained") },
  "when nothing of its backup is retained": { known: { dataUploads: [moved()] }, want: notRetainedByBackup },
  "when only other backups' snapshots are": {
    known: { ...usual, contents: [retained({ metadata: metadataOf(NAME, other) })] },
    want: notRetainedByBackup,
  },
  "when the snapshot was pruned": {
    known: {
      ...usual,
      dataUploads: [
        moved({
          metadata: {
            annotations: { [RELEASED]: "over_number", [`${RELEASED}-at`]: "2026-11-25T10:00:00Z" },
          },
        }),
      ],
    },
    want: byMovement(
      "its snapshot was pruned on 2026-11-25T10:00:00Z (over_number: its volume has newer ones, as many as the number allows)",
    ),
  },
  "when nobody wanted it retained, though Velero has deleted it": {
    known: {
      dataUploads: [
        moved({
          metadata: {
            annotations: {
              ...annotated(aDocument()),
              [RELEASED]: "being_deleted",
              "snapshot-retainer.io/retain": "false",
            },
          },
        }),
      ],
    },
    want: notRetainedByBackup,
  },
  "when it was pruned at an unknown time, for an unknown reason": {
    known: { ...usual, dataUploads: [moved({ metadata: { annotations: { [RELEASED]: "constructor" } } })] },
    want: byMovement("its snapshot was pruned (constructor)"),
  },
  "when the snapshot was given up and its content is still there": {
    known: flawed({
      metadata: { ...metadataOf(NAME), labels: { ...RETAINED, [RELEASED]: "over_number" } },
    }),
    want: byMovement("its snapshot is being deleted"),
  },
  "when its content is being deleted": {
    known: flawed({ metadata: { ...metadataOf(NAME), deletionTimestamp: "2026-11-25T10:00:00Z" } }),
    want: byMovement("its snapshot is being deleted"),
  },
  "when its content would take the snapshot along": {
    known: flawed({ spec: { deletionPolicy: "Delete" } }),
    want: byMovement(
      "its snapshot would be deleted with its VolumeSnapshotContent, whose policy is not Retain",
    ),
  },
  "when it is a member of a group": {
    known: flawed({ status: { volumeGroupSnapshotHandle: "group-1" } }),
    want: byMovement("its snapshot was taken with a VolumeGroupSnapshot"),
  },
  "when its annotation says that it is a member of a group": {
    known: flawed({
      metadata: { annotations: { ...annotated(aContentDocument()), [GROUP]: "group-1" } },
    }),
    want: byMovement("its snapshot was taken with a VolumeGroupSnapshot"),
  },
  "when it is not ready": {
    known: flawed({ status: { readyToUse: false } }),
    want: byMovement("its snapshot is not ready"),
  },
  "when nothing says whether it is ready": {
    known: flawed({ status: { readyToUse: undefined } }),
    want: byMovement("its snapshot is not ready"),
  },
  "when the content is another snapshot than its document says": {
    known: flawed({ spec: { source: { snapshotHandle: "another" } } }),
    want: notRetainedByBackup,
  },
  "when the content is of another driver than its document says": {
    known: flawed({ spec: { driver: "another" } }),
    want: notRetainedByBackup,
  },
  "when somebody else wrote the content's document": {
    known: flawed({ metadata: { annotations: strange } }),
    want: notRetainedByBackup,
  },
  "when the content is of another claim": {
    known: flawed({
      metadata: metadataOf(NAME, aContentDocument({ volume: { namespace: "app", name: "x" } })),
    }),
    want: notRetainedByBackup,
  },
  "when the DataUpload is of other data": {
    known: { ...usual, dataUploads: [moved({ status: { snapshotID: "other" } })] },
    want: notRetained,
  },
  "when the DataUpload is of another claim": {
    known: { ...usual, dataUploads: [moved({ spec: { sourcePVC: "x" } })] },
    want: notRetained,
  },
  "when the backup tells of other data": {
    known: { ...synced, results: [result({}, { snapshotID: "other" })] },
    want: notRetained,
  },
  "when the backup tells of another namespace": {
    known: { ...synced, results: [result({}, { sourceNamespace: "other" })] },
    want: notRetained,
  },
  "when the backup tells of another snapshot": {
    known: { ...synced, results: [result({ alias: "other" })] },
    want: notRetained,
  },
  "when the backup's alias and handle do not belong together": {
    known: { ...synced, results: [result({ snapshotHandle: "other" })] },
    want: notRetained,
  },
  "when the backup's alias and driver do not belong together": {
    known: { ...synced, results: [result({ driver: "other" })] },
    want: notRetained,
  },
  "when the backup tells of no snapshot": {
    known: { ...synced, results: [result(null)] },
    want: notRetained,
  },
  "when the backup tells of a handle without its driver": {
    known: { ...synced, results: [{ ...result(), dataMoverResult: { snapshotHandle: HANDLE } }] },
    want: notRetained,
  },
  "when another cluster retained it, and the policy says nothing of that": {
    known: { results: [result()] },
    want: byMovement("no snapshot of app/data is retained"),
  },
  "when its backup knows no driver of another cluster's": {
    policy: ACROSS,
    known: {
      results: [{ ...result(), dataMoverResult: { retainedSnapshot: NAME, snapshotHandle: HANDLE } }],
    },
    want: byMovement("no snapshot of app/data is retained"),
  },
  "when this cluster pruned it, and others are looked at": {
    policy: ACROSS,
    known: {
      dataUploads: [moved({ metadata: { annotations: { [RELEASED]: "over_number" } } })],
      results: [result()],
    },
    want: byMovement(
      "its snapshot was pruned (over_number: its volume has newer ones, as many as the number allows)",
    ),
  },
  "when this cluster took it and does not retain it, and others are looked at": {
    policy: ACROSS,
    known: { dataUploads: [moved()], results: [result()] },
    want: notRetainedByBackup,
  },
};

const ignored: Record<string, Case> = {
  "one outside Velero's namespaces": {
    request: { object: aDataDownload({ metadata: { namespace: "app" } }) },
    want: { code: "not_ours" },
  },
  "one that a tenant made": { request: { by: TENANT }, want: { code: "not_ours" } },
  "one that we made": { request: { by: OWN }, want: { code: "not_ours" } },
  "one of another data mover": {
    request: { object: aDataDownload({ spec: specWith({ datamover: "acme" }) }) },
    want: { code: "other_data_mover" },
  },
  "one that is ours already": {
    request: { object: aDataDownload({ spec: specWith({ datamover: "snapshot-retainer" }) }) },
    want: { code: "already_set" },
  },
  "an update": { request: { oldObject: aDataDownload() }, want: { code: "not_handled" } },
};

async function outcomeOf(
  { request, known = {}, policy, surroundings }: Case,
  lookup?: Lookup,
): Promise<Shown> {
  const parts = { object: aDataDownload(), ...request };
  const overrides = { policy: aPolicy(policy), ...surroundings };
  const related = await gatherBy(dataDownloadRule, parts, lookup ?? aLookup(known), overrides);
  return unsigned(show(decideBy(dataDownloadRule, parts, related, overrides)));
}

/** Without the signature of the source, which test/restore looks at. */
function unsigned(shown: Shown): Shown {
  const text = shown.annotations?.[SOURCE] ?? "";
  const without = text.replace(/,"signature":"[\w-]{43}"\}$/, "}");
  assert.ok(text === "" || text === "(removed)" || without !== text, text);
  return text === "" ? shown : { ...shown, annotations: { ...shown.annotations, [SOURCE]: without } };
}

describe("a volume is restored from its retained snapshot", () => {
  for (const [name, restored] of Object.entries(taken)) {
    test(name, async () => assert.deepEqual(await outcomeOf(restored), restored.want));
  }
});

describe("a volume is restored by data movement", () => {
  for (const [name, restored] of Object.entries(left)) {
    test(name, async () => assert.deepEqual(await outcomeOf(restored), restored.want));
  }

  test("when its backup cannot be asked which snapshot it is", async () => {
    const lookup: Lookup = {
      ...aLookup({ contents: [retained()], retained: held }),
      dataUploadResults: async () => Promise.reject(new LookupFailed("the API server answered 503")),
    };
    assert.deepEqual(
      await outcomeOf({ want: notRetained }, lookup),
      byMovement(
        "what the backup says of the snapshot of app/data could not be read: the API server answered 503",
      ),
    );
  });
});

describe("nothing is said of", () => {
  for (const [name, restored] of Object.entries(ignored)) {
    test(name, async () => assert.deepEqual(await outcomeOf({ known: usual, ...restored }), restored.want));
  }
});

describe("the backup is asked", () => {
  const cases: Record<string, { known: Known; policy?: Parameters<typeof aPolicy>[0]; want: number }> = {
    "not at all, where nothing of the claim is retained": { known: { dataUploads: [] }, want: 0 },
    "not at all, where the DataUpload tells": { known: usual, want: 0 },
    "not at all, where the policy does not allow a restore": {
      known: synced,
      policy: { restore: { fromRetained: false } },
      want: 0,
    },
    "once, where something is retained and no DataUpload is left": { known: synced, want: 1 },
    "once, where other clusters may have retained it": { known: {}, policy: ACROSS, want: 1 },
  };
  for (const [name, { known, policy, want }] of Object.entries(cases)) {
    test(name, async () => {
      let asked = 0;
      const lookup: Lookup = {
        ...aLookup(known),
        dataUploadResults: async (namespace, { claim }) => {
          asked += 1;
          assert.deepEqual([namespace, claim], ["velero", { namespace: "app", name: "data" }]);
          return [];
        },
      };
      await outcomeOf({ ...(policy && { policy }), want: notRetained }, lookup);
      assert.equal(asked, want);
    });
  }

  test("for nothing but its answer: nobody waits for a promise where there is none", () => {
    const surroundings = someSurroundings();
    const request = readRequest(dataDownloadRule, aRequest({ object: aDataDownload() }), surroundings);
    assert.ok(!(dataDownloadRule.gather(request, aLookup({}), surroundings) instanceof Promise));
  });
});

function metadataOf(name: string, document: Inherited = aContentDocument()): Json {
  return { name, labels: RETAINED, annotations: annotated(document) };
}

function specWith(changes: Json): Json {
  return { ...Object.fromEntries(Object.entries(aDataDownload()["spec"] ?? {})), ...changes };
}
