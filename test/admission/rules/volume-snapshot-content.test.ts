import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { Inherited } from "../../../src/admission/inherited.ts";
import { volumeSnapshotContentRule } from "../../../src/admission/rules/volume-snapshot-content.ts";
import type { ContentRelated } from "../../../src/admission/rules/volume-snapshot-content.ts";
import { DataUpload, VolumeSnapshot } from "../../../src/kube/objects.ts";
import { decideBy, gatherBy, show } from "../../builders/decision.ts";
import type { Shown } from "../../builders/decision.ts";
import { aContentDocument, aDocument, annotated } from "../../builders/documents.ts";
import { aLookup, inAWhile } from "../../builders/lookup.ts";
import {
  aCloneContent,
  aContent,
  aDataUpload,
  aVolumeSnapshot,
  DRIVER,
  HANDLE,
  SNAPSHOT_UID,
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
const where = "(policy: ConfigMap snapshot-retainer/snapshot-retainer-policy)";
const temporary = {
  name: "name-1c6a4bb6-21bf-4c17-8cf6-1a0c5a6d6a2c",
  namespace: "ns-1c6a4bb6-21bf-4c17-8cf6-1a0c5a6d6a2c",
};

interface Case {
  readonly object: Json;
  readonly oldObject?: Json;
  readonly by?: string;
  readonly policy?: Parameters<typeof aPolicy>[0];
  readonly related?: ContentRelated;
  readonly want: Shown;
}

/** What a content gets: its labels, its identity, our own name of the Backup, and nothing else that is reserved. */
function given(
  code: string,
  document: Inherited,
  labels: Readonly<Record<string, string>> = document.labels,
): Shown {
  return {
    code,
    labels: {
      ...labels,
      [RETAINED]: "(removed)",
      [RELEASED]: "(removed)",
      [ALIAS]: document.alias,
      [VOLUME]: document.volumeName,
      [BACKUP]: document.backup?.name ?? "(removed)",
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

/** The document on an original's content: of the storage it knows the volume, and not yet the snapshot. */
function anOriginalDocument(overrides: Partial<Inherited> = {}): Inherited {
  const snapshot = { driver: DRIVER, volumeHandle: "vol-1" };
  return aDocument({ kind: "VolumeSnapshotContent", snapshot, labels: {}, ...overrides });
}

function removed(...keys: string[]): Shown {
  const labels = keys.filter((key) => key !== INHERITED).map((key) => [key, "(removed)"] as const);
  return {
    code: "forged_removed",
    ...(labels.length > 0 && { labels: Object.fromEntries(labels) }),
    ...(keys.includes(INHERITED) && { annotations: { [INHERITED]: "(removed)" } }),
    warnings: [
      `snapshot-retainer: ${keys.join(", ")} removed: only Velero and snapshot-retainer may set it ${where}`,
    ],
  };
}

function snapshotWith(document: Inherited, metadata: Json = {}): ContentRelated {
  const own = { name: "velero-data-x7k2p", uid: SNAPSHOT_UID, annotations: annotated(document) };
  return { snapshot: VolumeSnapshot.parse(aVolumeSnapshot({ metadata: { ...own, ...metadata } })) };
}

const originals: Record<string, Case> = {
  "gets the identity of its VolumeSnapshot": {
    object: aContent(),
    by: SNAPSHOT_CONTROLLER,
    related: snapshotWith(aDocument()),
    want: given("labelled", anOriginalDocument()),
  },
  "keeps its own labels, and passes on those that may travel": {
    object: aContent({
      metadata: { labels: { team: "a", "snapshot.storage.kubernetes.io/managed-by": "n" } },
    }),
    by: SNAPSHOT_CONTROLLER,
    related: snapshotWith(aDocument()),
    want: given("labelled", anOriginalDocument({ labels: { team: "a" } })),
  },
  "gets the name of its Backup shortened": {
    object: aContent(),
    by: SNAPSHOT_CONTROLLER,
    related: snapshotWith(aDocument({ backup: { namespace: "velero", name: "b".repeat(70) } })),
    want: {
      ...given("labelled", anOriginalDocument({ backup: { namespace: "velero", name: "b".repeat(70) } })),
      labels: {
        [RETAINED]: "(removed)",
        [RELEASED]: "(removed)",
        [ALIAS]: aDocument().alias,
        [VOLUME]: "app.data",
        // printf b… (70) | sha256sum begins with these six digits.
        [BACKUP]: `${"b".repeat(57)}b94440`,
      },
    },
  },
  "of a VolumeSnapshot that is not known is left": {
    object: aContent(),
    by: SNAPSHOT_CONTROLLER,
    want: { code: "not_ours" },
  },
  "of a VolumeSnapshot without a document is left": {
    object: aContent(),
    by: SNAPSHOT_CONTROLLER,
    related: { snapshot: VolumeSnapshot.parse(aVolumeSnapshot({ metadata: { uid: SNAPSHOT_UID } })) },
    want: { code: "not_ours" },
  },
  "of a VolumeSnapshot that was deleted and made again is left": {
    object: aContent(),
    by: SNAPSHOT_CONTROLLER,
    related: snapshotWith(aDocument(), { uid: "another" }),
    want: { code: "not_ours" },
  },
  "of a VolumeSnapshot with another volume's document is left": {
    object: aContent(),
    by: SNAPSHOT_CONTROLLER,
    related: snapshotWith(aDocument({ volume: { namespace: "app", name: "other" } })),
    want: { code: "not_ours" },
  },
  "of a VolumeSnapshot with another namespace's document is left": {
    object: aContent(),
    by: SNAPSHOT_CONTROLLER,
    related: snapshotWith(aDocument({ volume: { namespace: "other", name: "data" } })),
    want: { code: "not_ours" },
  },
  "loses forged labels where it is not Velero's": {
    object: aContent({ metadata: { labels: { [ALIAS]: "x", [RETAINED]: "true", team: "a" } } }),
    by: TENANT,
    want: removed(ALIAS, RETAINED),
  },
  "by our own account is left": { object: aContent(), by: OWN, want: { code: "own_account" } },
  "being deleted is left": {
    object: aContent({ metadata: { deletionTimestamp: "2026-11-23T10:00:00Z" } }),
    by: SNAPSHOT_CONTROLLER,
    related: snapshotWith(aDocument()),
    want: { code: "being_deleted" },
  },
  "may carry Velero's restore label and is labelled all the same": {
    object: aContent({ metadata: { labels: { "velero.io/restore-name": "r" } } }),
    by: SNAPSHOT_CONTROLLER,
    related: snapshotWith(aDocument()),
    want: given("labelled", anOriginalDocument()),
  },
};

const document = aContentDocument();
const clones: Record<string, Case> = {
  "takes over the document that Velero copied onto it": {
    object: aCloneContent({ metadata: { annotations: annotated(document) } }),
    want: given("inherited", document),
  },
  "takes over the document of its DataUpload": {
    object: aCloneContent(),
    related: {
      dataUpload: DataUpload.parse(aDataUpload({ metadata: { annotations: annotated(aDocument()) } })),
    },
    want: given("inherited", aContentDocument({ labels: {} })),
  },
  "takes over the original of its handle, with the labels it has now": {
    object: aCloneContent({ metadata: { annotations: annotated(document) } }),
    related: { original: { inherited: document, labels: { "team.example/owner": "now", added: "later" } } },
    want: given("inherited", aContentDocument({ labels: { "team.example/owner": "now", added: "later" } })),
  },
  "believes the original of its handle before a document of another": {
    object: aCloneContent({
      metadata: { annotations: annotated(aContentDocument({ alias: "x", labels: { x: "y" } })) },
    }),
    related: { original: { inherited: document, labels: document.labels } },
    want: given("inherited", document),
  },
  "does not get Velero's own Backup and restore labels": {
    object: aCloneContent(),
    related: {
      original: {
        inherited: document,
        labels: { team: "a", "velero.io/backup-name": "b", "velero.io/restore-name": "r" },
      },
    },
    want: given(
      "inherited",
      aContentDocument({
        labels: { "team.example/owner": "storage", team: "a", "velero.io/backup-name": "b" },
      }),
      { "team.example/owner": "storage", team: "a" },
    ),
  },
  "does not get the node that serves the original": {
    object: aCloneContent(),
    related: {
      original: { inherited: document, labels: { "snapshot.storage.kubernetes.io/managed-by": "node-1" } },
    },
    want: given("inherited", document),
  },
  "has no Backup's name where the original had none": {
    object: aCloneContent({ metadata: { labels: { [BACKUP]: "x" } } }),
    related: { original: { inherited: aContentDocument({ backup: undefined }), labels: document.labels } },
    want: given("inherited", aContentDocument({ backup: undefined })),
  },
  "by a third-party data mover inherits too": {
    object: aCloneContent({ metadata: { annotations: annotated(document) } }),
    policy: { dataMovers: { accounts: [ACME_MOVER] } },
    by: ACME_MOVER,
    want: given("inherited", document),
  },
  "by anyone else inherits from the original of its handle": {
    object: aCloneContent({
      metadata: { labels: { [RETAINED]: "true" }, annotations: annotated(aContentDocument({ alias: "x" })) },
    }),
    related: { original: { inherited: document, labels: document.labels } },
    by: TENANT,
    want: given("inherited", document),
  },
  "by anyone else is not believed what it carries": {
    object: aCloneContent({ metadata: { annotations: annotated(document) } }),
    by: TENANT,
    want: removed(INHERITED),
  },
  "with a forged document and no original loses it": {
    object: aCloneContent({ metadata: { annotations: { [INHERITED]: "{}" } } }),
    want: removed(INHERITED),
  },
  "without any source is left": { object: aCloneContent(), want: { code: "no_original" } },
  "that Velero makes for a moment to delete a backup is left exactly as it is": {
    object: aCloneContent({
      metadata: { name: "vsc-1", labels: { [ALIAS]: "x" }, annotations: annotated(document) },
      spec: { volumeSnapshotRef: temporary },
    }),
    want: { code: "temporary_content" },
  },
  "named like a temporary one in one part only is none": {
    object: aCloneContent({ spec: { volumeSnapshotRef: { ...temporary, namespace: "ns-app" } } }),
    want: { code: "no_original" },
  },
  "of a native restore is left exactly as it is": {
    object: aCloneContent({ metadata: { labels: { [ALIAS]: "x", "velero.io/restore-name": "r" } } }),
    want: { code: "native_restore" },
  },
  "by a tenant who calls it restored loses his forged labels": {
    object: aCloneContent({ metadata: { labels: { [ALIAS]: "x", "velero.io/restore-name": "r" } } }),
    by: TENANT,
    want: removed(ALIAS),
  },
  "by our own account is left": {
    object: aCloneContent({ metadata: { labels: { [RETAINED]: "true" } } }),
    by: OWN,
    want: { code: "own_account" },
  },
};

const identity = { [ALIAS]: "a", [VOLUME]: "app.data", [BACKUP]: "nightly-1" };
const updates: Record<string, Case> = {
  "gets removed labels back": {
    object: aCloneContent(),
    oldObject: aCloneContent({ metadata: { labels: identity } }),
    by: TENANT,
    want: {
      code: "put_back",
      labels: identity,
      warnings: [
        `snapshot-retainer: ${[ALIAS, VOLUME, BACKUP].join(", ")} put back: only Velero and snapshot-retainer may change it ${where}`,
      ],
    },
  },
  "loses a document that another one had": {
    object: aCloneContent({ metadata: { annotations: annotated(document) } }),
    oldObject: aCloneContent(),
    by: TENANT,
    want: {
      code: "forged_removed",
      annotations: { [INHERITED]: "(removed)" },
      warnings: [
        `snapshot-retainer: ${INHERITED} removed again: only Velero and snapshot-retainer may change it ${where}`,
      ],
    },
  },
  "protects one that was restored natively too": {
    object: aCloneContent({ metadata: { labels: { "velero.io/restore-name": "r", [ALIAS]: "x" } } }),
    oldObject: aCloneContent({ metadata: { labels: { "velero.io/restore-name": "r" } } }),
    by: TENANT,
    want: {
      code: "forged_removed",
      labels: { [ALIAS]: "(removed)" },
      warnings: [
        `snapshot-retainer: ${ALIAS} removed again: only Velero and snapshot-retainer may change it ${where}`,
      ],
    },
  },
  "may lose its labels to our controller": {
    object: aCloneContent(),
    oldObject: aCloneContent({ metadata: { labels: identity } }),
    by: OWN,
    want: { code: "allowed_change" },
  },
  "may be changed by Velero": {
    object: aCloneContent(),
    oldObject: aCloneContent({ metadata: { labels: identity } }),
    by: VELERO,
    want: { code: "allowed_change" },
  },
  "that is temporary is left": {
    object: aCloneContent({ spec: { volumeSnapshotRef: temporary } }),
    oldObject: aCloneContent({ metadata: { labels: identity }, spec: { volumeSnapshotRef: temporary } }),
    by: TENANT,
    want: { code: "temporary_content" },
  },
};

const groups = {
  "a dynamic content": originals,
  "a content of a handle": clones,
  "a changed content": updates,
};
for (const [title, cases] of Object.entries(groups)) {
  describe(title, () => {
    for (const [name, { policy, related = {}, want, ...parts }] of Object.entries(cases)) {
      test(name, () => {
        const outcome = decideBy(volumeSnapshotContentRule, parts, related, { policy: aPolicy(policy) });
        assert.deepEqual(show(outcome), want);
      });
    }
  });
}

describe("for a content the rule looks up", () => {
  const snapshot = aVolumeSnapshot({ metadata: { name: "velero-data-x7k2p" } });
  const upload = aDataUpload({ metadata: { name: "nightly-1-b4c5d" } });
  const original = { inherited: document, labels: {} };
  const lookup = aLookup({
    volumeSnapshots: [snapshot],
    dataUploads: [upload],
    originals: { [`${DRIVER} ${HANDLE}`]: original },
  });
  for (const [when, asked] of Object.entries({ "at once": lookup, "in a while": inAWhile(lookup) })) {
    test(`of an original its VolumeSnapshot, found ${when}`, async () => {
      const found = await gatherBy(volumeSnapshotContentRule, { object: aContent() }, asked);
      assert.deepEqual(found, { snapshot: VolumeSnapshot.parse(snapshot) });
    });
    test(`of a clone the original of its handle and the DataUpload of its name, found ${when}`, async () => {
      const found = await gatherBy(volumeSnapshotContentRule, { object: aCloneContent() }, asked);
      assert.deepEqual(found, { original, dataUpload: DataUpload.parse(upload), otherUpload: undefined });
    });
  }
  test("of a clone outside Velero's namespaces only the original", async () => {
    const object = aCloneContent({ spec: { volumeSnapshotRef: { name: "x", namespace: "app" } } });
    assert.deepEqual(await gatherBy(volumeSnapshotContentRule, { object }, lookup), {
      original,
      dataUpload: undefined,
      otherUpload: undefined,
    });
  });
  test("nothing for a content that is only changed, ours, temporary or restored", async () => {
    const parts = [
      { object: aContent(), oldObject: aContent() },
      { object: aContent(), by: OWN },
      { object: aCloneContent({ spec: { volumeSnapshotRef: temporary } }) },
      { object: aCloneContent({ metadata: { labels: { "velero.io/restore-name": "r" } } }) },
    ];
    for (const part of parts) {
      assert.deepEqual(await gatherBy(volumeSnapshotContentRule, part, lookup), {});
    }
  });
});
