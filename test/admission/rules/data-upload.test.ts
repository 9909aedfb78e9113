import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { Inherited } from "../../../src/admission/inherited.ts";
import { dataUploadRule } from "../../../src/admission/rules/data-upload.ts";
import type { Surroundings } from "../../../src/admission/rule.ts";
import { decideBy, gatherBy, show } from "../../builders/decision.ts";
import type { Shown } from "../../builders/decision.ts";
import { aDocument, annotated } from "../../builders/documents.ts";
import { aLookup } from "../../builders/lookup.ts";
import type { Known } from "../../builders/lookup.ts";
import {
  aBackup,
  aClaim,
  aContent,
  aDataUpload,
  aVolume,
  aVolumeSnapshot,
  CLAIM_UID,
  DRIVER,
  HANDLE,
} from "../../builders/objects.ts";
import type { Json, Overrides } from "../../builders/objects.ts";
import { aPolicy } from "../../builders/policy.ts";
import { OWN, TENANT } from "../../builders/request.ts";

const ALIAS = "velero.io/snapshot-alias-name";
const VOLUME = "velero.io/snapshot-volume-name";
const RETAIN = "snapshot-retainer.io/retain";
const FIRST_ID = "00000000-0000-4000-8000-000000000001";
const where = "(policy: ConfigMap snapshot-retainer/snapshot-retainer-policy)";

const csi = { volumeSnapshot: "velero-data-x7k2p", storageClass: "fast", driver: DRIVER };
const global3 = "3: the policy's snapshotsToRetain";

/** The VolumeSnapshot of the upload, labelled and bound. */
function labelledSnapshot(document: Inherited = aDocument()): Json {
  return aVolumeSnapshot({
    metadata: { name: "velero-data-x7k2p", annotations: annotated(document) },
    status: { boundVolumeSnapshotContentName: "content" },
  });
}

function boundContent(overrides: Overrides = {}): Json {
  return aContent({ metadata: { name: "content" }, status: { snapshotHandle: HANDLE }, ...overrides });
}

const usual: Known = {
  backups: [aBackup()],
  claims: [aClaim()],
  volumes: [aVolume()],
  volumeSnapshots: [labelledSnapshot()],
  contents: [boundContent()],
};

interface Case {
  readonly upload?: Overrides;
  readonly known?: Known;
  readonly policy?: Parameters<typeof aPolicy>[0];
  readonly surroundings?: Partial<Surroundings>;
  readonly want: Shown;
}

const handled = { snapshot: { driver: DRIVER, handle: HANDLE, volumeHandle: "vol-1" } };

function decided(number: number, reason: string, document: Inherited = aDocument(handled)): Shown {
  return {
    code: "decided",
    labels: { [ALIAS]: document.alias, [VOLUME]: document.volumeName },
    annotations: {
      [RETAIN]: String(number > 0),
      "snapshot-retainer.io/limit": String(number),
      "snapshot-retainer.io/limit-reason": reason,
    },
    document,
  };
}

const gold = { name: "gold disks", snapshotsToRetain: 5 };
const gold5 = decided(5, '5: rule "gold disks"');

const created: Record<string, Case> = {
  "gets its snapshot's labels, document and handle, and the decision": { want: decided(3, global3) },
  "is not to be retained where the number is none": {
    policy: { snapshotsToRetain: 0 },
    want: decided(0, "0: the policy's snapshotsToRetain"),
  },
  "gets the field too where the served kind has it": {
    surroundings: { hasRetainSnapshotField: true },
    want: { ...decided(3, global3), spec: { retainSnapshot: true } },
  },
  "does not get the field where nothing is retained": {
    policy: { snapshotsToRetain: 0 },
    surroundings: { hasRetainSnapshotField: true },
    want: decided(0, "0: the policy's snapshotsToRetain"),
  },
  "knows no handle before the storage has said it": {
    known: { ...usual, contents: [boundContent({ status: {} })] },
    want: decided(3, global3, aDocument({ snapshot: { driver: DRIVER, volumeHandle: "vol-1" } })),
  },
  "knows no handle where the snapshot is not bound yet": {
    known: {
      ...usual,
      volumeSnapshots: [
        aVolumeSnapshot({ metadata: { name: "velero-data-x7k2p", annotations: annotated(aDocument()) } }),
      ],
    },
    want: decided(3, global3, aDocument()),
  },
  "gets a document of its own where its snapshot has none": {
    known: { ...usual, volumeSnapshots: [aVolumeSnapshot({ metadata: { name: "velero-data-x7k2p" } })] },
    want: decided(3, global3, aDocument({ alias: FIRST_ID })),
  },
  "gets a document of its own where its snapshot carries another volume's": {
    known: {
      ...usual,
      volumeSnapshots: [labelledSnapshot(aDocument({ volume: { namespace: "app", name: "other" } }))],
    },
    want: decided(3, global3, aDocument({ ...handled, alias: FIRST_ID })),
  },
  "keeps the alias of an earlier pass where its snapshot has none": {
    known: { ...usual, volumeSnapshots: [] },
    upload: { metadata: { annotations: annotated(aDocument()) } },
    want: decided(3, global3, aDocument({ labels: {} })),
  },
  "names its owner as the Backup": {
    known: { ...usual, volumeSnapshots: [] },
    upload: {
      metadata: {
        ownerReferences: [
          { kind: "Other", name: "x" },
          { kind: "Backup", name: "a-long-name" },
        ],
      },
    },
    want: decided(
      3,
      global3,
      aDocument({ alias: FIRST_ID, labels: {}, backup: { namespace: "velero", name: "a-long-name" } }),
    ),
  },
  "names the Backup of its label where it has no owner": {
    known: { claims: [aClaim()] },
    upload: { metadata: { ownerReferences: null } },
    want: decided(3, global3, aDocument({ alias: FIRST_ID, labels: {} })),
  },
  "gets the PVC's UID where the policy says so": {
    known: { ...usual, volumeSnapshots: [] },
    policy: { volumeName: "uid" },
    want: decided(3, global3, aDocument({ alias: FIRST_ID, labels: {}, volumeName: CLAIM_UID })),
  },
  "is not retained where the policy wants a UID that is not known": {
    known: {},
    policy: { volumeName: "uid" },
    want: {
      code: "identity_missing",
      warnings: ["snapshot-retainer: PVC app/data was not found, so nothing is retained"],
    },
  },
  "gets the number of its driver": {
    policy: { rules: [{ ...gold, when: { drivers: [DRIVER] } }] },
    want: gold5,
  },
  "gets the number of its content's driver where it names none (Velero below 1.17)": {
    upload: { spec: { csiSnapshot: { ...csi, driver: undefined } } },
    known: { ...usual, volumes: [], contents: [boundContent({ spec: { driver: "pxd.portworx.com" } })] },
    policy: { rules: [{ ...gold, when: { drivers: ["pxd.portworx.com"] } }] },
    want: decided(
      5,
      '5: rule "gold disks"',
      aDocument({ snapshot: { driver: "pxd.portworx.com", handle: HANDLE, volumeHandle: "vol-1" } }),
    ),
  },
  "gets the number of its volume's driver where nothing else names one": {
    upload: { spec: { csiSnapshot: { ...csi, driver: undefined } } },
    known: { ...usual, volumeSnapshots: [] },
    policy: { rules: [{ ...gold, when: { drivers: [DRIVER] } }] },
    want: decided(5, '5: rule "gold disks"', aDocument({ alias: FIRST_ID, labels: {} })),
  },
  "gets the number of its storage class": {
    policy: { rules: [{ ...gold, when: { storageClasses: ["fast"] } }] },
    want: gold5,
  },
  "gets the number of its PVC's storage class where it names none": {
    upload: { spec: { csiSnapshot: { ...csi, storageClass: undefined } } },
    known: { ...usual, claims: [aClaim({ spec: { storageClassName: "slow" } })] },
    policy: { rules: [{ ...gold, when: { storageClasses: ["slow"] } }] },
    want: gold5,
  },
  "gets the number of its source namespace": {
    policy: { rules: [{ ...gold, when: { namespaces: ["app"] } }] },
    want: gold5,
  },
  "gets the number of its PVC's labels": {
    policy: { rules: [{ ...gold, when: { pvcLabels: { tier: "gold" } } }] },
    want: gold5,
  },
  "gets the number of its Backup's schedule": {
    known: {
      ...usual,
      backups: [aBackup({ metadata: { labels: { "velero.io/schedule-name": "nightly" } } })],
    },
    policy: { rules: [{ ...gold, when: { schedules: ["nightly"] } }] },
    want: gold5,
  },
  "gets the number that the policy let stand on its Backup": {
    known: {
      ...usual,
      backups: [aBackup({ metadata: { annotations: { "snapshot-retainer.io/requested-limit": "1" } } })],
    },
    policy: { backupAnnotation: "cap" },
    want: decided(1, "1: the number on the Backup, instead of 3 by the policy's snapshotsToRetain"),
  },
  "passes over a number on its Backup that is none": {
    known: {
      ...usual,
      backups: [aBackup({ metadata: { annotations: { "snapshot-retainer.io/requested-limit": "many" } } })],
    },
    policy: { backupAnnotation: "default" },
    want: decided(3, global3),
  },
  "is lowered to its storage's ceiling": {
    policy: { snapshotsToRetain: 500 },
    want: decided(
      100,
      "100: the policy's snapshotsToRetain, lowered from 500 by the ceiling of rbd.csi.ceph.com",
    ),
  },
  "of a snapshot without CSI is decided by what is known": {
    upload: { spec: { csiSnapshot: null } },
    want: decided(3, global3, aDocument({ alias: FIRST_ID, labels: {} })),
  },
  "outside Velero's namespaces is left": {
    upload: { metadata: { namespace: "app" } },
    want: { code: "not_velero_namespace" },
  },
  "being deleted is left": {
    upload: { metadata: { deletionTimestamp: "2026-11-23T10:00:00Z" } },
    want: { code: "being_deleted" },
  },
};

describe("a new DataUpload", () => {
  for (const [name, { upload, known = usual, policy, surroundings, want }] of Object.entries(created)) {
    test(name, async () => {
      const parts = { object: aDataUpload(upload) };
      const related = await gatherBy(dataUploadRule, parts, aLookup(known));
      const outcome = decideBy(dataUploadRule, parts, related, { policy: aPolicy(policy), ...surroundings });
      assert.deepEqual(show(outcome), want);
    });
  }

  test("tells the audit log the decision, the number and its reason", async () => {
    const { audit } = decideBy(dataUploadRule, { object: aDataUpload() }, {});
    assert.deepEqual(audit, { retain: "true", limit: "3", reason: global3 });
  });
});

describe("a changed DataUpload", () => {
  const before = aDataUpload({ metadata: { labels: { [ALIAS]: "a" }, annotations: { [RETAIN]: "true" } } });

  test("gets its labels and its decision back", () => {
    const parts = { object: aDataUpload({ metadata: { labels: {} } }), oldObject: before, by: TENANT };
    assert.deepEqual(show(decideBy(dataUploadRule, parts, {})), {
      code: "put_back",
      labels: { [ALIAS]: "a" },
      annotations: { [RETAIN]: "true" },
      warnings: [
        `snapshot-retainer: ${ALIAS}, ${RETAIN} put back: only Velero and snapshot-retainer may change it ${where}`,
      ],
    });
  });
  test("may be changed by our controller", () => {
    const parts = { object: aDataUpload(), oldObject: before, by: OWN };
    assert.deepEqual(show(decideBy(dataUploadRule, parts, {})), { code: "allowed_change" });
  });
  test("costs no look-up", async () => {
    const parts = { object: aDataUpload(), oldObject: before };
    assert.deepEqual(await gatherBy(dataUploadRule, parts, aLookup(usual)), {});
  });
});
