import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { Inherited } from "../../../src/admission/inherited.ts";
import { LookupFailed } from "../../../src/admission/lookup.ts";
import { volumeSnapshotRule } from "../../../src/admission/rules/volume-snapshot.ts";
import type { VolumeSnapshotRelated } from "../../../src/admission/rules/volume-snapshot.ts";
import {
  Backup,
  DataUpload,
  PersistentVolumeClaim,
  VolumeSnapshotContent,
} from "../../../src/kube/objects.ts";
import { decideBy, gatherBy, show } from "../../builders/decision.ts";
import type { Shown } from "../../builders/decision.ts";
import { aContentDocument, aDocument, annotated } from "../../builders/documents.ts";
import { aLookup } from "../../builders/lookup.ts";
import {
  aBackup,
  aClaim,
  aCloneContent,
  aCloneSnapshot,
  aDataUpload,
  aVolume,
  aVolumeSnapshot,
  CLAIM_UID,
  DRIVER,
  HANDLE,
} from "../../builders/objects.ts";
import type { Json } from "../../builders/objects.ts";
import { aPolicy } from "../../builders/policy.ts";
import { ACME_MOVER, OWN, SNAPSHOT_CONTROLLER, TENANT, VELERO } from "../../builders/request.ts";

const ALIAS = "velero.io/snapshot-alias-name";
const VOLUME = "velero.io/snapshot-volume-name";
const BACKUP = "snapshot-retainer.io/backup-name";
const RETAINED = "snapshot-retainer.io/retained";
const RELEASED = "snapshot-retainer.io/released";
const INHERITED = "snapshot-retainer.io/inherited";
const FIRST_ID = "00000000-0000-4000-8000-000000000001";
const where = "(policy: ConfigMap snapshot-retainer/snapshot-retainer-policy)";

interface Case {
  readonly object: Json;
  readonly oldObject?: Json;
  readonly by?: string;
  readonly policy?: Parameters<typeof aPolicy>[0];
  readonly related?: VolumeSnapshotRelated;
  readonly want: Shown;
}

const otherKeys = { [RETAINED]: "(removed)", [RELEASED]: "(removed)" };
const otherAnnotations = {
  "snapshot-retainer.io/retain": "(removed)",
  "snapshot-retainer.io/limit": "(removed)",
  "snapshot-retainer.io/limit-reason": "(removed)",
  "snapshot-retainer.io/released": "(removed)",
  "snapshot-retainer.io/retained-snapshot": "(removed)",
};

/** What an original or a clone gets: the document's labels, its identity, and nothing else that is reserved. */
function given(code: string, document: Inherited): Shown {
  return {
    code,
    labels: {
      ...document.labels,
      ...otherKeys,
      [ALIAS]: document.alias,
      [VOLUME]: document.volumeName,
      [BACKUP]: "(removed)",
    },
    annotations: otherAnnotations,
    document,
  };
}

function labelled(overrides: Partial<Inherited> = {}): Shown {
  return given("labelled", aDocument({ alias: FIRST_ID, ...overrides }));
}

type Edited = Readonly<Record<string, string>>;

function forged(did: string, keys: Edited, annotations: Edited = {}): Shown {
  const names = [...Object.keys(keys), ...Object.keys(annotations)].join(", ");
  const may = did === "removed" ? "set" : "change";
  return {
    code: did === "put back" ? "put_back" : "forged_removed",
    ...(Object.keys(keys).length > 0 && { labels: keys }),
    ...(Object.keys(annotations).length > 0 && { annotations }),
    warnings: [
      `snapshot-retainer: ${names} ${did}: only Velero and snapshot-retainer may ${may} it ${where}`,
    ],
  };
}

const forgedLabels = { [ALIAS]: "x", [VOLUME]: "app.other", [BACKUP]: "b", [RETAINED]: "true", team: "a" };

const originals: Record<string, Case> = {
  "by Velero gets an alias and its volume's name": { object: aVolumeSnapshot(), want: labelled() },
  "gets the PVC's UID where the policy says so": {
    object: aVolumeSnapshot(),
    policy: { volumeName: "uid" },
    related: { claim: PersistentVolumeClaim.parse(aClaim()) },
    want: labelled({ volumeName: CLAIM_UID }),
  },
  "gets no labels where the PVC's UID is not known": {
    object: aVolumeSnapshot(),
    policy: { volumeName: "uid" },
    want: {
      code: "identity_missing",
      warnings: ["snapshot-retainer: PVC app/data was not found, so this snapshot gets no labels"],
    },
  },
  "gets a long volume name shortened as Velero does": {
    object: aVolumeSnapshot({ spec: { source: { persistentVolumeClaimName: "d".repeat(80) } } }),
    want: labelled({
      // printf app.ddd… | sha256sum begins with these six digits.
      volumeName: `app.${"d".repeat(53)}2cb9f9`,
      volume: { namespace: "app", name: "d".repeat(80) },
    }),
  },
  "names the Backup in full where its label is shortened": {
    object: aVolumeSnapshot(),
    related: { backup: Backup.parse(aBackup({ metadata: { name: "a-long-name", namespace: "velero-2" } })) },
    want: labelled({ backup: { namespace: "velero-2", name: "a-long-name" } }),
  },
  "names Velero's first namespace where the Backup is not found": {
    object: aVolumeSnapshot(),
    policy: { velero: { namespaces: ["backup", "velero"], accounts: [VELERO] } },
    want: labelled({ backup: { namespace: "backup", name: "nightly-1" } }),
  },
  "of a Backup that does not move data is left": {
    object: aVolumeSnapshot(),
    related: { backup: Backup.parse(aBackup({ spec: { snapshotMoveData: false } })) },
    want: { code: "does_not_move" },
  },
  "of a Backup that does not move data loses reserved labels that a tenant put on the PVC": {
    object: aVolumeSnapshot({
      metadata: { labels: { [RETAINED]: "true", "velero.io/backup-name": "nightly-1" } },
    }),
    related: { backup: Backup.parse(aBackup({ spec: { snapshotMoveData: false } })) },
    want: forged("removed", { [RETAINED]: "(removed)" }),
  },
  "does not take over reserved labels that a tenant put on the PVC": {
    object: aVolumeSnapshot({
      metadata: { labels: { ...forgedLabels, "velero.io/backup-name": "nightly-1" } },
    }),
    want: labelled({ labels: { team: "a", "velero.io/backup-name": "nightly-1" } }),
  },
  "does not pass on what must not travel": {
    object: aVolumeSnapshot({
      metadata: {
        labels: {
          "velero.io/backup-name": "nightly-1",
          "snapshot.storage.kubernetes.io/managed-by": "node-1",
          "app.kubernetes.io/managed-by": "Helm",
          "argocd.argoproj.io/instance": "shop",
          "kustomize.toolkit.fluxcd.io/name": "shop",
          "helm.toolkit.fluxcd.io/name": "shop",
          "velero.io/restore-name": "r",
          "velero.io/restore-uid": "u",
          "velero.io/restored": "stays",
        },
      },
    }),
    want: labelled({ labels: { "velero.io/backup-name": "nightly-1", "velero.io/restored": "stays" } }),
  },
  "keeps the alias of an earlier pass": {
    object: aVolumeSnapshot({ metadata: { annotations: annotated(aDocument()) } }),
    want: given("labelled", aDocument()),
  },
  "gets a new alias where the earlier document is another volume's": {
    object: aVolumeSnapshot({ metadata: { annotations: annotated(aDocument({ volumeName: "app.x" })) } }),
    want: labelled(),
  },
  "gets a new alias where the earlier document is another Backup's": {
    object: aVolumeSnapshot({
      metadata: { annotations: annotated(aDocument({ backup: { namespace: "velero", name: "b" } })) },
    }),
    want: labelled(),
  },
  "being deleted is left": {
    object: aVolumeSnapshot({ metadata: { deletionTimestamp: "2026-11-23T10:00:00Z" } }),
    want: { code: "being_deleted" },
  },
  "by a tenant is left, whatever its Backup label says": {
    object: aVolumeSnapshot(),
    by: TENANT,
    want: { code: "not_ours" },
  },
  "by another tool is left": {
    object: aVolumeSnapshot({ metadata: { labels: { "k10.kasten.io/x": "y" } } }),
    by: "system:serviceaccount:kasten-io:k10",
    want: { code: "not_ours" },
  },
  "without a Backup label, by Velero, is left": {
    object: aVolumeSnapshot({ metadata: { labels: undefined } }),
    want: { code: "not_ours" },
  },
  "a VolumeGroupSnapshot's member is left as the snapshot-controller made it": {
    object: aVolumeSnapshot({ metadata: { labels: undefined } }),
    by: SNAPSHOT_CONTROLLER,
    want: { code: "not_ours" },
  },
  "by our own account is left": { object: aVolumeSnapshot(), by: OWN, want: { code: "own_account" } },
  "a tenant's forged labels are removed, his others stay": {
    object: aVolumeSnapshot({ metadata: { labels: forgedLabels } }),
    by: TENANT,
    want: forged("removed", {
      [ALIAS]: "(removed)",
      [VOLUME]: "(removed)",
      [BACKUP]: "(removed)",
      [RETAINED]: "(removed)",
    }),
  },
  "a tenant's copy of a real document is removed": {
    object: aVolumeSnapshot({ metadata: { annotations: { ...annotated(aDocument()), note: "mine" } } }),
    by: TENANT,
    want: forged("removed", {}, { [INHERITED]: "(removed)" }),
  },
};

const cloneDocument = aDocument({ labels: { team: "a" } });
const clones: Record<string, Case> = {
  "takes over the document that Velero copied onto it": {
    object: aCloneSnapshot({ metadata: { annotations: annotated(cloneDocument) } }),
    want: given("inherited", cloneDocument),
  },
  "takes over the document of its content": {
    object: aCloneSnapshot(),
    related: {
      content: VolumeSnapshotContent.parse(
        aCloneContent({ metadata: { annotations: annotated(aContentDocument()) } }),
      ),
    },
    want: given("inherited", aDocument({ labels: {} })),
  },
  "takes over the document of its DataUpload": {
    object: aCloneSnapshot(),
    related: {
      dataUpload: DataUpload.parse(aDataUpload({ metadata: { annotations: annotated(cloneDocument) } })),
    },
    want: given("inherited", cloneDocument),
  },
  "takes over the living original's identity, whose handle it shares": {
    object: aCloneSnapshot({ metadata: { annotations: annotated(aDocument({ alias: "another" })) } }),
    related: { original: { inherited: aContentDocument(), labels: { not: "of this kind" } } },
    want: given("inherited", aDocument({ labels: {} })),
  },
  "joins the labels of all documents of one alias, the nearest to the original last": {
    object: aCloneSnapshot({
      metadata: { annotations: annotated(aDocument({ labels: { a: "note", b: "note" } })) },
    }),
    related: {
      dataUpload: DataUpload.parse(
        aDataUpload({ metadata: { annotations: annotated(aDocument({ labels: { a: "du", c: "du" } })) } }),
      ),
    },
    want: given("inherited", aDocument({ labels: { a: "note", c: "du", b: "note" } })),
  },
  "keeps labels that it has beside": {
    object: aCloneSnapshot({ metadata: { labels: { own: "x" }, annotations: annotated(cloneDocument) } }),
    want: given("inherited", cloneDocument),
  },
  "by a third-party data mover, in any namespace, inherits too": {
    object: aCloneSnapshot({ metadata: { namespace: "app", annotations: annotated(cloneDocument) } }),
    policy: { dataMovers: { accounts: [ACME_MOVER] } },
    by: ACME_MOVER,
    want: given("inherited", cloneDocument),
  },
  "without any source is left": { object: aCloneSnapshot(), want: { code: "no_original" } },
  "with a forged document is left, and the forgery removed": {
    object: aCloneSnapshot({
      metadata: { annotations: { [INHERITED]: JSON.stringify({ ...aDocument(), signature: "x" }) } },
    }),
    want: forged("removed", {}, { [INHERITED]: "(removed)" }),
  },
  "by a tenant outside Velero's namespaces is no clone": {
    object: aCloneSnapshot({ metadata: { namespace: "app", annotations: annotated(cloneDocument) } }),
    by: TENANT,
    want: forged("removed", {}, { [INHERITED]: "(removed)" }),
  },
  "by a tenant in Velero's namespace is not believed what it carries": {
    object: aCloneSnapshot({ metadata: { annotations: annotated(cloneDocument) } }),
    by: TENANT,
    want: forged("removed", {}, { [INHERITED]: "(removed)" }),
  },
  "by a tenant in Velero's namespace inherits what its DataUpload says": {
    object: aCloneSnapshot({ metadata: { annotations: annotated(aDocument({ alias: "another" })) } }),
    related: {
      dataUpload: DataUpload.parse(aDataUpload({ metadata: { annotations: annotated(cloneDocument) } })),
    },
    by: TENANT,
    want: given("inherited", cloneDocument),
  },
  "of a native restore is left exactly as it is": {
    object: aCloneSnapshot({ metadata: { labels: { ...forgedLabels, "velero.io/restore-name": "r" } } }),
    want: { code: "native_restore" },
  },
  "by a tenant who calls it restored loses his forged labels": {
    object: aCloneSnapshot({
      metadata: { namespace: "app", labels: { [ALIAS]: "x", "velero.io/restore-name": "r" } },
    }),
    by: TENANT,
    want: forged("removed", { [ALIAS]: "(removed)" }),
  },
  "with neither PVC nor content is left": {
    object: aCloneSnapshot({ spec: { source: {} } }),
    want: { code: "not_ours" },
  },
};

const identity = { [ALIAS]: "a", [VOLUME]: "app.data" };
const before = aVolumeSnapshot({ metadata: { name: "vs", labels: { ...identity, team: "a" } } });

const updates: Record<string, Case> = {
  "may change everything else": {
    object: aVolumeSnapshot({ metadata: { name: "vs", labels: { ...identity, team: "b" } } }),
    oldObject: before,
    by: TENANT,
    want: { code: "already_set" },
  },
  "gets a changed label back": {
    object: aVolumeSnapshot({ metadata: { name: "vs", labels: { ...identity, [VOLUME]: "app.x" } } }),
    oldObject: before,
    by: TENANT,
    want: forged("put back", { [VOLUME]: "app.data" }),
  },
  "gets removed labels back": {
    object: aVolumeSnapshot({ metadata: { name: "vs", labels: undefined } }),
    oldObject: before,
    by: TENANT,
    want: forged("put back", identity),
  },
  "loses a reserved label that was added": {
    object: aVolumeSnapshot({ metadata: { name: "vs", labels: { ...identity, [RETAINED]: "true" } } }),
    oldObject: before,
    by: TENANT,
    want: forged("removed again", { [RETAINED]: "(removed)" }),
  },
  "loses a document that was added": {
    object: aVolumeSnapshot({ metadata: { labels: identity, annotations: annotated(aDocument()) } }),
    oldObject: before,
    by: TENANT,
    want: forged("removed again", {}, { [INHERITED]: "(removed)" }),
  },
  "may be changed by Velero": {
    object: aVolumeSnapshot({ metadata: { name: "vs", labels: {} } }),
    oldObject: aVolumeSnapshot({ metadata: { name: "vs", labels: identity } }),
    want: { code: "allowed_change" },
  },
  "may be changed by ourselves": {
    object: aVolumeSnapshot({ metadata: { name: "vs", labels: {} } }),
    oldObject: before,
    by: OWN,
    want: { code: "allowed_change" },
  },
  "gets its labels when Velero claims a member of a VolumeGroupSnapshot": {
    object: aVolumeSnapshot({ metadata: { name: "vs", labels: { "velero.io/backup-name": "nightly-1" } } }),
    oldObject: aVolumeSnapshot({ metadata: { name: "vs", labels: undefined } }),
    want: labelled({ labels: { "velero.io/backup-name": "nightly-1" } }),
  },
  "gets none when a tenant adds Velero's label": {
    object: aVolumeSnapshot({ metadata: { name: "vs" } }),
    oldObject: aVolumeSnapshot({ metadata: { name: "vs", labels: undefined } }),
    by: TENANT,
    want: { code: "already_set" },
  },
  "is left while it is deleted": {
    object: aVolumeSnapshot({ metadata: { labels: {}, deletionTimestamp: "2026-11-23T10:00:00Z" } }),
    oldObject: before,
    by: TENANT,
    want: { code: "being_deleted" },
  },
};

const knownOriginal = { inherited: aContentDocument(), labels: {} };
const bound: VolumeSnapshotRelated = {
  content: VolumeSnapshotContent.parse(aCloneContent()),
  original: knownOriginal,
};
const finalized = { object: aCloneSnapshot(), oldObject: aCloneSnapshot(), by: SNAPSHOT_CONTROLLER };
const ownLabels = { "app.kubernetes.io/name": "snapshot-retainer", "velero.io/exclude-from-backup": "true" };
const late: Record<string, Case> = {
  "inherits once the two are bound": {
    ...finalized,
    related: bound,
    want: given("inherited", aDocument({ labels: {} })),
  },
  "does not inherit from a content that is bound to another snapshot": {
    ...finalized,
    related: {
      ...bound,
      content: VolumeSnapshotContent.parse(
        aCloneContent({ spec: { volumeSnapshotRef: { name: "nightly-1-b4c5d", namespace: "app" } } }),
      ),
    },
    want: { code: "already_set" },
  },
  "does not inherit from a content that is bound to a snapshot of another name": {
    ...finalized,
    related: {
      ...bound,
      content: VolumeSnapshotContent.parse(
        aCloneContent({ spec: { volumeSnapshotRef: { name: "other", namespace: "velero" } } }),
      ),
    },
    want: { code: "already_set" },
  },
  "does not inherit without a known original": {
    ...finalized,
    related: { ...bound, original: undefined },
    want: { code: "already_set" },
  },
  "does not inherit again when it has its labels": {
    ...finalized,
    oldObject: aCloneSnapshot({ metadata: { labels: identity } }),
    object: aCloneSnapshot({ metadata: { labels: identity } }),
    related: bound,
    want: { code: "already_set" },
  },
  "is left where it belongs to a native restore": {
    ...finalized,
    oldObject: aCloneSnapshot({ metadata: { labels: { "velero.io/restore-name": "r" } } }),
    object: aCloneSnapshot({ metadata: { labels: { "velero.io/restore-name": "r" } } }),
    related: bound,
    want: { code: "already_set" },
  },
  "is left where we made it for a restore of our own": {
    ...finalized,
    oldObject: aCloneSnapshot({ metadata: { labels: ownLabels } }),
    object: aCloneSnapshot({ metadata: { labels: ownLabels } }),
    related: bound,
    want: { code: "already_set" },
  },
  "believes nothing that its update adds": {
    ...finalized,
    object: aCloneSnapshot({ metadata: { annotations: annotated(aDocument({ alias: "another" })) } }),
    by: TENANT,
    related: bound,
    want: given("inherited", aDocument({ labels: {} })),
  },
};

const groups = {
  "a VolumeSnapshot made before its content": late,
  "a VolumeSnapshot of a PVC": originals,
  "a VolumeSnapshot of a content": clones,
  "a changed VolumeSnapshot": updates,
};
for (const [title, cases] of Object.entries(groups)) {
  describe(title, () => {
    for (const [name, { policy, related = {}, want, ...parts }] of Object.entries(cases)) {
      test(name, () => {
        const outcome = decideBy(volumeSnapshotRule, parts, related, { policy: aPolicy(policy) });
        assert.deepEqual(show(outcome), want);
      });
    }
  });
}

describe("for a VolumeSnapshot the rule looks up", () => {
  const backup = aBackup();
  const claim = aClaim();
  const content = aCloneContent();
  const upload = aDataUpload({ metadata: { name: "nightly-1-b4c5d" } });
  const original = { inherited: aContentDocument(), labels: {} };
  const lookup = aLookup({
    backups: [backup],
    claims: [claim],
    contents: [content],
    dataUploads: [upload],
    originals: { [`${DRIVER} ${HANDLE}`]: original },
    volumes: [aVolume()],
    taken: { "app.data": 2, [CLAIM_UID]: 1 },
  });
  const alone = { controllerAlive: false };

  test("of an original its Backup", async () => {
    const found = await gatherBy(volumeSnapshotRule, { object: aVolumeSnapshot() }, lookup, alone);
    assert.deepEqual(found, { backup: Backup.parse(backup), claim: undefined });
  });
  test("of an original its PVC too, where the policy wants its UID", async () => {
    const policy = aPolicy({ volumeName: "uid" });
    const found = await gatherBy(volumeSnapshotRule, { object: aVolumeSnapshot() }, lookup, { policy });
    assert.equal(found.claim?.metadata.uid, CLAIM_UID);
  });
  test("of an original whose Backup moves data how many snapshots its volume has, and its facts", async () => {
    const found = await gatherBy(volumeSnapshotRule, { object: aVolumeSnapshot() }, lookup);
    assert.deepEqual(found.room, {
      facts: {
        driver: DRIVER,
        storageClass: "fast",
        namespace: "app",
        pvcLabels: { tier: "gold" },
        schedule: undefined,
        requested: undefined,
      },
      taken: 2,
    });
  });
  test("of an original by the UID of its PVC, where the policy wants that", async () => {
    const policy = aPolicy({ volumeName: "uid" });
    const found = await gatherBy(volumeSnapshotRule, { object: aVolumeSnapshot() }, lookup, { policy });
    assert.equal(found.room?.taken, 1);
  });
  test("of an original how many there are also where its facts cannot be had", async () => {
    const failing = { ...lookup, claimWithVolume: async () => Promise.reject(new LookupFailed("503")) };
    const found = await gatherBy(volumeSnapshotRule, { object: aVolumeSnapshot() }, failing);
    assert.deepEqual(found.room, { facts: undefined, taken: 2 });
  });
  const unasked: Record<string, () => Promise<VolumeSnapshotRelated>> = {
    "nobody is there who could make room": async () =>
      gatherBy(volumeSnapshotRule, { object: aVolumeSnapshot() }, lookup, alone),
    "nothing will be stored": async () =>
      gatherBy(volumeSnapshotRule, { object: aVolumeSnapshot(), fields: { dryRun: true } }, lookup),
    "the policy is paused": async () =>
      gatherBy(volumeSnapshotRule, { object: aVolumeSnapshot() }, lookup, {
        policy: aPolicy({ mode: "paused" }),
      }),
    "the policy only watches": async () =>
      gatherBy(volumeSnapshotRule, { object: aVolumeSnapshot() }, lookup, {
        policy: aPolicy({ mode: "audit" }),
      }),
    "its Backup is not known": async () =>
      gatherBy(volumeSnapshotRule, { object: aVolumeSnapshot() }, aLookup({ taken: { "app.data": 2 } })),
    "its Backup does not say that it moves data": async () =>
      gatherBy(
        volumeSnapshotRule,
        { object: aVolumeSnapshot() },
        aLookup({ backups: [aBackup({ spec: { snapshotMoveData: undefined } })], taken: { "app.data": 2 } }),
      ),
    "another webhook made the API server ask once more": async () =>
      gatherBy(
        volumeSnapshotRule,
        { object: aVolumeSnapshot({ metadata: { annotations: annotated(aDocument()) } }) },
        lookup,
      ),
    "it is the member of a group, taken already": async () =>
      gatherBy(
        volumeSnapshotRule,
        { object: aVolumeSnapshot(), oldObject: aVolumeSnapshot({ metadata: { labels: undefined } }) },
        lookup,
      ),
  };
  for (const [why, gathered] of Object.entries(unasked)) {
    test(`of an original nothing about room, where ${why}`, async () => {
      assert.equal((await gathered()).room, undefined);
    });
  }
  test("of a clone its DataUpload, its content and the original of its content's handle", async () => {
    const found = await gatherBy(volumeSnapshotRule, { object: aCloneSnapshot() }, lookup);
    assert.equal(found.dataUpload?.metadata.name, "nightly-1-b4c5d");
    assert.equal(found.content?.metadata.name, "nightly-1-b4c5d");
    assert.equal(found.original, original);
  });
  test("of a clone that was made before its content the same, when it changes", async () => {
    const found = await gatherBy(volumeSnapshotRule, finalized, lookup);
    assert.equal(found.content?.metadata.name, "nightly-1-b4c5d");
    assert.equal(found.original, original);
  });
  test("nothing of anybody else's, of our own and of what only changed", async () => {
    const parts = [
      { object: aVolumeSnapshot(), by: TENANT },
      { object: aCloneSnapshot(), by: OWN },
      { object: aVolumeSnapshot(), oldObject: aVolumeSnapshot() },
      { object: aCloneSnapshot({ metadata: { labels: { "velero.io/restore-name": "r" } } }) },
    ];
    for (const part of parts) {
      assert.deepEqual(await gatherBy(volumeSnapshotRule, part, lookup), {});
    }
  });
});
