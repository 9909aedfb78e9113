import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { apply_patch } from "jsonpatch";
import { admit } from "../../src/admission/handler.ts";
import type { HandlerContext } from "../../src/admission/handler.ts";
import type { KnownOriginal, Lookup } from "../../src/admission/lookup.ts";
import {
  RESERVED_ANNOTATIONS,
  RESERVED_BACKUP_ANNOTATIONS,
  RESERVED_LABELS,
  RESTORE_DECISION_ANNOTATION,
  RESTORE_SOURCE_ANNOTATION,
} from "../../src/kube/keys.ts";
import { aContext } from "../builders/context.ts";
import { aContentDocument, aDocument, annotated } from "../builders/documents.ts";
import { aFailingLookup, aLookup, inAWhile } from "../builders/lookup.ts";
import type { Known } from "../builders/lookup.ts";
import {
  aBackup,
  aClaim,
  aCloneContent,
  aCloneSnapshot,
  aContent,
  aDataDownload,
  aDataUpload,
  anAcmeSnapshot,
  asSent,
  aVolume,
  aVolumeSnapshot,
  DRIVER,
  HANDLE,
  SNAPSHOT_ID,
  SNAPSHOT_UID,
} from "../builders/objects.ts";
import type { Json, Overrides } from "../builders/objects.ts";
import { ACME, aPolicy } from "../builders/policy.ts";
import { ACME_MOVER, aRequest, OWN, SNAPSHOT_CONTROLLER, TENANT, VELERO } from "../builders/request.ts";

const RESERVED: readonly string[] = [
  ...RESERVED_LABELS,
  ...RESERVED_ANNOTATIONS,
  ...RESERVED_BACKUP_ANNOTATIONS,
  RESTORE_DECISION_ANNOTATION,
  RESTORE_SOURCE_ANNOTATION,
];
const OTHERS = [
  "team",
  "a/b~c",
  "velero.io/backup-name",
  "velero.io/restore-name",
  "constructor",
  "snapshot-retainer.io/pin",
];
const INHERITED: readonly string[] = ["inherited", "retain_set", "retain_refused"];
const MOVER = "system:serviceaccount:mover:m";

const builders: readonly ((overrides?: Overrides) => Json)[] = [
  aBackup,
  aVolumeSnapshot,
  aCloneSnapshot,
  aContent,
  aCloneContent,
  aDataUpload,
  aDataDownload,
  anAcmeSnapshot,
];

const documents = [aDocument(), aContentDocument(), aDocument({ alias: "other", volumeName: "app.x" })];
const annotation = fc.oneof(
  fc.constantFrom(...documents.flatMap((document) => Object.values(annotated(document)))),
  fc.constantFrom("", "3", "-1", "9", "many", "true", "{}"),
);
const label = fc.constantFrom("", "x", "nightly-1", "app.other", "true");
const keys = fc.constantFrom(...RESERVED, ...OTHERS);
const absent = fc.constantFrom(undefined, null);
const labels = fc.oneof(fc.dictionary(keys, label, { noNullPrototype: true, maxKeys: 6 }), absent);
const annotations = fc.oneof(fc.dictionary(keys, annotation, { noNullPrototype: true, maxKeys: 6 }), absent);
const metadata = fc.record({ labels, annotations }, { requiredKeys: [] });
const accounts = fc.constantFrom(VELERO, OWN, TENANT, ACME_MOVER, MOVER, SNAPSHOT_CONTROLLER, "");

const policies = fc
  .record({
    snapshotsToRetain: fc.integer({ min: -1, max: 200 }),
    backupAnnotation: fc.constantFrom("enforce", "cap", "default"),
    volumeName: fc.constantFrom("namespacedName", "uid"),
    mode: fc.constantFrom("enforce", "paused"),
  })
  .map((parts) =>
    aPolicy({ ...parts, dataMovers: { accounts: [MOVER] }, snapshotAssociatedObjects: [ACME] }),
  );

const original: KnownOriginal = { inherited: aContentDocument(), labels: { now: "x", team: "y" } };
const everything: Known = {
  backups: [aBackup()],
  claims: [aClaim()],
  volumes: [aVolume()],
  volumeSnapshots: [
    aVolumeSnapshot({
      metadata: { name: "velero-data-x7k2p", uid: SNAPSHOT_UID, annotations: annotated(aDocument()) },
      status: { boundVolumeSnapshotContentName: "nightly-1-b4c5d" },
    }),
  ],
  contents: [
    aCloneContent({ status: { snapshotHandle: HANDLE } }),
    aCloneContent({
      metadata: {
        name: "retained",
        labels: { "snapshot-retainer.io/retained": "true" },
        annotations: annotated(aContentDocument()),
      },
      spec: { deletionPolicy: "Retain" },
      status: { snapshotHandle: HANDLE, readyToUse: true },
    }),
  ],
  dataUploads: [
    aDataUpload({
      metadata: {
        name: "nightly-1-b4c5d",
        annotations: {
          ...annotated(aDocument()),
          "snapshot-retainer.io/retain": "true",
          "snapshot-retainer.io/limit": "3",
        },
      },
    }),
  ],
  taken: { "app.data": 100 },
  retained: { "app/data": ["retained"] },
  results: [
    { snapshotID: SNAPSHOT_ID, sourceNamespace: "app", dataMoverResult: { alias: aDocument().alias } },
  ],
  originals: {
    [`${DRIVER} ${HANDLE}`]: original,
    "acme acme-77": { inherited: aDocument({ kind: "acme", backup: undefined }), labels: { now: "x" } },
  },
};
const lookups = fc.tuple(fc.subarray(Object.keys(everything)), fc.boolean()).map(([names, late]) => {
  const known = Object.entries(everything).filter(([name]) => names.includes(name));
  const lookup = aLookup(Object.fromEntries(known));
  return late ? inAWhile(lookup) : lookup;
});

const objects = fc
  .tuple(fc.constantFrom(...builders), metadata)
  .map(([build, own]) => withMetadata(build(), own));
const requests = fc.record({
  object: objects,
  change: fc.option(metadata, { nil: undefined }),
  by: accounts,
});

interface Arbitrary {
  readonly object: Json;
  readonly change: Overrides["metadata"] | undefined;
  readonly by: string;
}

function partsOf({ object, change, by }: Arbitrary): { object: Json; by: string; oldObject?: Json } {
  return change === undefined ? { object, by } : { object, by, oldObject: withMetadata(object, change) };
}

/** With this metadata; an object of the other plugin keeps the label that tells it from all other ConfigMaps. */
function withMetadata(object: Json, own: Json): Json {
  const metadata = { ...partOf(object["metadata"]), ...own };
  const labels =
    object["kind"] === "ConfigMap" ? { labels: { ...partOf(own["labels"]), ...ACME.matchLabels } } : {};
  return asSent({ ...object, metadata: { ...metadata, ...labels } });
}

function partOf(value: unknown): Json {
  return typeof value === "object" && value !== null ? Object.fromEntries(Object.entries(value)) : {};
}

describe("for any object of any kind by any account", () => {
  test("a deletion policy is changed to Retain alone, and held, on the clone of a DataUpload that wants it", async () => {
    await everyRequest(async (parts, context) => {
      const { patch, outcome } = await admit(aRequest(parts), context);
      const before = partOf(parts.object["spec"])["deletionPolicy"];
      const { spec, metadata } = applied(parts.object, patch);
      assert.equal(partOf(spec)["deletionPolicy"], outcome.code === "retain_set" ? "Retain" : before);
      const { finalizers } = partOf(metadata);
      assert.deepEqual(
        finalizers,
        outcome.code === "retain_set"
          ? ["snapshot-retainer.io/hold"]
          : partOf(parts.object["metadata"])["finalizers"],
      );
      if (outcome.code === "retain_set") {
        assert.equal(context.policy?.mode, "enforce");
        assert.equal(context.controllerAlive, true);
        assert.notEqual(parts.by, OWN);
        assert.equal(parts.oldObject, undefined);
      }
    });
  });

  test("a DataDownload of Velero becomes ours, alone, where a live controller may carry it out", async () => {
    await everyRequest(async (parts, context) => {
      const { patch, outcome } = await admit(aRequest(parts), context);
      const before = partOf(parts.object["spec"])["datamover"];
      const after = partOf(applied(parts.object, patch)["spec"])["datamover"];
      assert.equal(after, outcome.code === "restore_from_retained" ? "snapshot-retainer" : before);
      if (outcome.code === "restore_from_retained") {
        assert.equal(parts.object["kind"], "DataDownload");
        assert.deepEqual([parts.by, parts.oldObject], [VELERO, undefined]);
        assert.equal(context.controllerAlive, true);
      }
    });
  });

  test("room is asked for by Velero's new snapshots alone, where a live controller may make it", async () => {
    await everyRequest(async (parts, context) => {
      const { outcome } = await admit(aRequest(parts), context);
      if (outcome.room !== undefined) {
        assert.equal(outcome.code, "labelled");
        assert.equal(parts.object["kind"], "VolumeSnapshot");
        assert.deepEqual([parts.by, parts.oldObject], [VELERO, undefined]);
        assert.deepEqual([context.policy?.mode, context.controllerAlive], ["enforce", true]);
      }
      const again = await admit(aRequest({ ...parts, fields: { dryRun: true } }), context);
      assert.equal(again.outcome.room, undefined);
    });
  });

  test("our patch can be applied, and touches labels, annotations and what tells to retain alone", async () => {
    await everyRequest(async (parts, context) => {
      const { patch } = await admit(aRequest(parts), { ...context, hasRetainSnapshotField: true });
      const patched = applied(parts.object, patch);
      assert.deepEqual(withoutOurs(patched), withoutOurs(parts.object));
    });
  });

  test("a second pass over the result changes nothing", async () => {
    await everyRequest(async (parts, context) => {
      const { patch } = await admit(aRequest(parts), context);
      const again = await admit(aRequest({ ...parts, object: applied(parts.object, patch) }), context);
      assert.deepEqual(again.patch, []);
    });
  });

  test("keys that are not ours keep their values, but for those that an original gives", async () => {
    await everyRequest(async (parts, context) => {
      const { patch, outcome } = await admit(aRequest(parts), context);
      const kept = ["labels", "annotations"].flatMap((map) => othersOf(applied(parts.object, patch), map));
      const had = ["labels", "annotations"].flatMap((map) => othersOf(parts.object, map));
      if (INHERITED.includes(outcome.code)) {
        const names = new Set(kept.map(([key]) => key));
        assert.ok(had.every(([key]) => names.has(key)));
      } else {
        assert.deepEqual(kept, had);
      }
    });
  });

  test("nobody but Velero, movers and ourselves sets a reserved key of an object without an original", async () => {
    await everyRequest(async (parts, context) => {
      if (!["", TENANT, SNAPSHOT_CONTROLLER].includes(parts.by) || parts.oldObject !== undefined) {
        return;
      }
      // No snapshot's object: nobody reads these keys there.
      if (parts.object["kind"] === "DataDownload") {
        return;
      }
      const { patch, outcome } = await admit(aRequest(parts), context);
      if (
        outcome.code === "forged_removed" ||
        outcome.code === "not_ours" ||
        outcome.code === "no_original"
      ) {
        assert.deepEqual(reservedOf(applied(parts.object, patch)), []);
      }
    });
  });

  test("nobody but Velero and ourselves changes a reserved key of a snapshot's object", async () => {
    await everyRequest(async (parts, context) => {
      const kind = parts.object["kind"];
      const isSnapshots = kind !== "Backup" && kind !== "DataDownload";
      if (parts.oldObject === undefined || !isSnapshots || [VELERO, OWN].includes(parts.by)) {
        return;
      }
      const { patch, outcome } = await admit(aRequest(parts), context);
      if (INHERITED.includes(outcome.code)) {
        // A clone that was made before its content: what it gets is ours, whoever's update brings it.
        assert.equal(kind, "VolumeSnapshot");
        return;
      }
      assert.deepEqual(reservedOf(applied(parts.object, patch)), reservedOf(parts.oldObject));
    });
  });

  test("in audit mode nothing is changed", async () => {
    await everyRequest(async (parts, context) => {
      const policy = { ...(context.policy ?? aPolicy()), mode: "audit" as const };
      const { audited, patch } = await admit(aRequest(parts), { ...context, policy });
      assert.equal(audited, patch.length > 0);
    });
  });
});

describe("a look-up that", () => {
  const failures: Record<string, () => Promise<undefined>> = {
    "rejects with an error": async () => Promise.reject(new Error("x")),
    "rejects with what is no error": async () => rejectWith("x"),
    "rejects with nothing": async () => rejectWith(undefined),
    "rejects with an object that has no text": async () => rejectWith(Object.create(null)),
    "throws at once": () => {
      throw new Error("x");
    },
  };
  for (const [name, fail] of Object.entries(failures)) {
    test(`${name} never makes admit reject`, async () => {
      await everyRequest(
        async (parts, context) => {
          const { patch } = await admit(aRequest(parts), context);
          applied(parts.object, patch);
        },
        fc.constant({ ...aFailingLookup(fail), originalByHandle: () => undefined }),
      );
    });
  }
});

async function rejectWith(reason: unknown): Promise<undefined> {
  return Promise.reject(reason);
}

async function everyRequest(
  check: (parts: ReturnType<typeof partsOf>, context: HandlerContext) => Promise<void>,
  lookup: fc.Arbitrary<Lookup> = lookups,
): Promise<void> {
  await fc.assert(
    fc.asyncProperty(
      requests,
      policies,
      lookup,
      fc.boolean(),
      async (request, policy, found, controllerAlive) =>
        check(partsOf(request), aContext({ policy, lookup: found, controllerAlive })),
    ),
    { numRuns: 400 },
  );
}

function applied(object: Json, patch: readonly object[]): Json {
  return asSent(apply_patch(structuredClone(object), [...patch]));
}

function withoutOurs(object: Json): Json {
  const metadata = partOf(object["metadata"]);
  const { labels: _labels, annotations: _annotations, finalizers: _finalizers, ...others } = metadata;
  const { retainSnapshot: _retain, deletionPolicy: _policy, ...spec } = partOf(object["spec"]);
  return asSent({ ...object, metadata: others, spec: { ...spec, datamover: undefined } });
}

function othersOf(object: Json, map: string): [string, unknown][] {
  return Object.entries(partOf(partOf(object["metadata"])[map]))
    .filter(([key]) => !RESERVED.includes(key))
    .toSorted(([a], [b]) => (a < b ? -1 : 1));
}

function reservedOf(object: Json): [string, unknown][] {
  const ofLabels = Object.entries(partOf(partOf(object["metadata"])["labels"])).filter(([key]) =>
    RESERVED_LABELS.some((reserved) => reserved === key),
  );
  const ofAnnotations = Object.entries(partOf(partOf(object["metadata"])["annotations"])).filter(([key]) =>
    RESERVED_ANNOTATIONS.some((reserved) => reserved === key),
  );
  return [...ofLabels, ...ofAnnotations].toSorted(([a], [b]) => (a < b ? -1 : 1));
}
