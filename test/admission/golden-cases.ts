import type { HandlerContext } from "../../src/admission/handler.ts";
import type { RoomAnswer } from "../../src/admission/room-needed.ts";
import { aContentDocument, aDocument, annotated } from "../builders/documents.ts";
import { aFailingLookup } from "../builders/lookup.ts";
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
  aVolume,
  aVolumeSnapshot,
  DRIVER,
  HANDLE,
  SNAPSHOT_ID,
  SNAPSHOT_UID,
} from "../builders/objects.ts";
import type { Json, Overrides } from "../builders/objects.ts";
import { ACME } from "../builders/policy.ts";
import type { aPolicy } from "../builders/policy.ts";
import { ACME_MOVER, OWN, SNAPSHOT_CONTROLLER, TENANT, VELERO } from "../builders/request.ts";

/** One request to the webhook, and what is known when it comes. */
export interface GoldenCase {
  readonly object: Json;
  readonly oldObject?: Json;
  readonly by?: string;
  readonly fields?: Json;
  readonly known?: Known;
  /** Changes of the policy that retains three; null for none at all. */
  readonly policy?: Parameters<typeof aPolicy>[0] | null;
  readonly context?: Partial<HandlerContext>;
  /** What the controller answers when it is asked for room. */
  readonly room?: RoomAnswer;
}

const LIMIT = "backup.velero.io/data-mover-snapshot-to-retain";
const ALIAS = "velero.io/snapshot-alias-name";
const VOLUME = "velero.io/snapshot-volume-name";
const document = aDocument();
const contentDocument = aContentDocument();
const identity = { [ALIAS]: document.alias, [VOLUME]: document.volumeName };
const labelled = aVolumeSnapshot({
  metadata: {
    name: "velero-data-x7k2p",
    uid: SNAPSHOT_UID,
    labels: { "app.kubernetes.io/name": "shop", "velero.io/backup-name": "nightly-1", ...identity },
    annotations: annotated(document),
  },
  status: { boundVolumeSnapshotContentName: `snapcontent-${SNAPSHOT_UID}` },
});
const content = aContent({ status: { snapshotHandle: HANDLE } });
const upload = aDataUpload({ metadata: { name: "nightly-1-b4c5d", annotations: annotated(document) } });
const retainedUpload = aRetainedUpload();
const movedUpload = aMovedUpload({});
const prunedUpload = aMovedUpload({
  "snapshot-retainer.io/released": "over_number",
  "snapshot-retainer.io/released-at": "2026-11-25T10:00:00Z",
});
const retainedContent = aCloneContent({
  metadata: {
    name: "nightly-1-b4c5d",
    labels: { ...identity, "snapshot-retainer.io/retained": "true" },
    annotations: annotated(contentDocument),
  },
  spec: { deletionPolicy: "Retain" },
  status: { snapshotHandle: HANDLE, readyToUse: true },
});
const retained = { "app/data": ["nightly-1-b4c5d"] };
const result = {
  snapshotID: SNAPSHOT_ID,
  sourceNamespace: "app",
  dataMoverResult: {
    retainedSnapshot: "nightly-1-b4c5d",
    snapshotHandle: HANDLE,
    driver: DRIVER,
    alias: document.alias,
    snapshotClass: "fast",
  },
};
const backups = [aBackup()];
const claims = [aClaim()];
const originals = {
  [`${DRIVER} ${HANDLE}`]: {
    inherited: contentDocument,
    labels: { ...contentDocument.labels, "snapshot.storage.kubernetes.io/managed-by": "node-1" },
  },
};
const temporary = {
  name: "name-1c6a4bb6-21bf-4c17-8cf6-1a0c5a6d6a2c",
  namespace: "ns-1c6a4bb6-21bf-4c17-8cf6-1a0c5a6d6a2c",
};

function aRetainedUpload(overrides: Overrides = {}): Json {
  return aDataUpload({
    ...overrides,
    metadata: {
      name: "nightly-1-b4c5d",
      labels: { "velero.io/backup-name": "nightly-1", ...identity },
      annotations: {
        ...annotated(document),
        "snapshot-retainer.io/retain": "true",
        "snapshot-retainer.io/limit": "3",
      },
    },
  });
}

function aMovedUpload(annotations: Json): Json {
  return aDataUpload({
    metadata: { name: "nightly-1-b4c5d", annotations: { ...annotated(document), ...annotations } },
    status: { phase: "Completed", snapshotID: SNAPSHOT_ID },
  });
}

function asked(number: string): Json {
  return aBackup({ metadata: { annotations: { [LIMIT]: number } } });
}

/** At least one for each row of what the webhook does; the names are those of the files. */
export const GOLDEN_CASES: Readonly<Record<string, GoldenCase>> = {
  "backup-create-gets-the-number": { object: aBackup(), by: TENANT },
  "backup-create-gets-a-number-of-none-too": {
    object: aBackup(),
    by: TENANT,
    policy: { snapshotsToRetain: 0 },
  },
  "backup-create-enforce-overwrites": { object: asked("9"), by: TENANT },
  "backup-create-cap-lets-a-lower-number-stand": {
    object: asked("1"),
    by: TENANT,
    policy: { backupAnnotation: "cap" },
  },
  "backup-create-cap-overwrites-a-higher-number": {
    object: asked("9"),
    by: TENANT,
    policy: { backupAnnotation: "cap" },
  },
  "backup-create-default-lets-any-number-stand": {
    object: asked("9"),
    by: TENANT,
    policy: { backupAnnotation: "default" },
  },
  "backup-create-replaces-what-is-no-number": {
    object: asked("many"),
    by: TENANT,
    policy: { backupAnnotation: "default" },
  },
  "backup-create-leaves-one-that-does-not-move-data": {
    object: aBackup({ spec: { snapshotMoveData: false } }),
    by: TENANT,
  },
  "backup-create-leaves-one-of-the-sync-controller": { object: aBackup({ status: { phase: "Completed" } }) },
  "backup-create-leaves-another-namespace": {
    object: aBackup({ metadata: { namespace: "app" } }),
    by: TENANT,
  },
  "backup-update-puts-the-number-back": { object: asked("9"), oldObject: asked("3"), by: TENANT },
  "backup-update-puts-a-removed-number-back": { object: aBackup(), oldObject: asked("3"), by: TENANT },
  "backup-update-by-velero-may": { object: aBackup(), oldObject: asked("3"), by: VELERO },
  "snapshot-create-gets-alias-and-volume": { object: aVolumeSnapshot(), known: { backups } },
  "snapshot-create-waits-for-room": {
    object: aVolumeSnapshot(),
    known: { backups, claims, volumes: [aVolume()], taken: { "app.data": 3 } },
    room: { kind: "granted" },
  },
  "snapshot-create-goes-on-without-room": {
    object: aVolumeSnapshot(),
    known: { backups, claims, volumes: [aVolume()], taken: { "app.data": 3 } },
    room: { kind: "none", reason: "3 snapshots of app/data are pinned" },
  },
  "snapshot-create-goes-on-when-nobody-answers": {
    object: aVolumeSnapshot(),
    known: { backups, claims, volumes: [aVolume()], taken: { "app.data": 3 } },
    room: { kind: "late" },
  },
  "snapshot-create-asks-for-no-room-below-the-number": {
    object: aVolumeSnapshot(),
    known: { backups, claims, volumes: [aVolume()], taken: { "app.data": 2 } },
    room: { kind: "none", reason: "nobody should have asked" },
  },
  "snapshot-create-asks-for-no-room-on-dry-run": {
    object: aVolumeSnapshot(),
    fields: { dryRun: true },
    known: { backups, claims, volumes: [aVolume()], taken: { "app.data": 3 } },
    room: { kind: "none", reason: "nobody should have asked" },
  },
  "snapshot-create-gets-the-uid-of-the-claim": {
    object: aVolumeSnapshot(),
    known: { backups, claims },
    policy: { volumeName: "uid" },
  },
  "snapshot-create-by-a-tenant-loses-forged-labels": {
    object: aVolumeSnapshot({ metadata: { labels: { team: "a", ...identity } } }),
    by: TENANT,
  },
  "snapshot-create-of-another-tool-is-left": {
    object: aVolumeSnapshot({ metadata: { labels: undefined } }),
    by: "system:serviceaccount:kasten-io:k10",
  },
  "snapshot-create-of-a-group-member-is-left": {
    object: aVolumeSnapshot({ metadata: { labels: undefined } }),
    by: SNAPSHOT_CONTROLLER,
  },
  "snapshot-update-claims-a-group-member": {
    object: aVolumeSnapshot({ metadata: { name: "member-1" } }),
    oldObject: aVolumeSnapshot({ metadata: { name: "member-1", labels: undefined } }),
    known: { backups },
  },
  "snapshot-update-puts-labels-back": {
    object: aVolumeSnapshot({ metadata: { name: "velero-data-x7k2p", labels: { [VOLUME]: "app.other" } } }),
    oldObject: labelled,
    by: TENANT,
  },
  "snapshot-clone-inherits-from-its-annotation": {
    object: aCloneSnapshot({ metadata: { annotations: annotated(document) } }),
  },
  "snapshot-clone-inherits-from-its-data-upload": {
    object: aCloneSnapshot(),
    known: { dataUploads: [upload] },
  },
  "content-create-gets-labels-of-its-snapshot": {
    object: aContent(),
    by: SNAPSHOT_CONTROLLER,
    known: { volumeSnapshots: [labelled] },
  },
  "content-create-of-another-tool-is-left": { object: aContent(), by: SNAPSHOT_CONTROLLER },
  "content-create-by-a-tenant-loses-forged-keys": {
    object: aContent({ metadata: { labels: identity, annotations: annotated(document) } }),
    by: TENANT,
  },
  "content-clone-inherits-from-its-annotation": {
    object: aCloneContent({ metadata: { annotations: annotated(contentDocument) } }),
  },
  "content-clone-inherits-from-its-data-upload": {
    object: aCloneContent(),
    known: { dataUploads: [upload] },
  },
  "content-clone-is-retained": { object: aCloneContent(), known: { dataUploads: [retainedUpload] } },
  "content-clone-is-retained-for-another-data-mover": {
    object: aCloneContent({
      metadata: { name: "acme-1" },
      spec: { volumeSnapshotRef: { name: "acme-1", namespace: "acme-mover" } },
    }),
    by: ACME_MOVER,
    policy: { dataMovers: { accounts: [ACME_MOVER] } },
    known: { dataUploads: [aRetainedUpload({ spec: { datamover: "acme" } })], originals },
  },
  "content-clone-is-not-retained-without-a-controller": {
    object: aCloneContent(),
    known: { dataUploads: [retainedUpload] },
    context: { controllerAlive: false },
  },
  "content-clone-is-not-retained-of-a-group": {
    object: aCloneContent({
      metadata: {
        annotations: { "groupsnapshot.storage.k8s.io/volumeGroupSnapshotHandle": "group-1" },
      },
    }),
    known: { dataUploads: [retainedUpload] },
  },
  "content-clone-is-not-retained-after-its-upload": {
    object: aCloneContent(),
    known: { dataUploads: [aRetainedUpload({ status: { phase: "Failed" } })] },
  },
  "content-clone-would-be-retained-in-audit-mode": {
    object: aCloneContent(),
    policy: { mode: "audit" },
    known: { dataUploads: [retainedUpload] },
  },
  "content-clone-inherits-from-the-original-of-its-handle": { object: aCloneContent(), known: { originals } },
  "content-clone-without-an-original-is-left": { object: aCloneContent() },
  "content-temporary-is-left-exactly": {
    object: aCloneContent({ metadata: { name: "vsc-1" }, spec: { volumeSnapshotRef: temporary } }),
    known: { originals },
  },
  "content-of-a-native-restore-is-left-exactly": {
    object: aCloneContent({ metadata: { labels: { "velero.io/restore-name": "r" } } }),
    known: { originals },
  },
  "content-update-puts-labels-back": {
    object: aCloneContent(),
    oldObject: aCloneContent({ metadata: { labels: identity } }),
    by: TENANT,
  },
  "content-update-by-our-controller-may": {
    object: aCloneContent(),
    oldObject: aCloneContent({ metadata: { labels: identity } }),
    by: OWN,
  },
  "data-upload-create-gets-labels-and-decision": {
    object: aDataUpload(),
    known: { backups, claims, volumeSnapshots: [labelled], contents: [content] },
  },
  "data-upload-create-gets-the-field-where-served": {
    object: aDataUpload(),
    known: { backups, claims, volumeSnapshots: [labelled], contents: [content] },
    context: { hasRetainSnapshotField: true },
  },
  "data-upload-create-is-not-retained-with-a-number-of-none": {
    object: aDataUpload(),
    known: { backups, claims, volumeSnapshots: [labelled], contents: [content] },
    policy: { snapshotsToRetain: 0 },
  },
  "data-upload-update-puts-labels-and-decision-back": {
    object: aDataUpload({ metadata: { name: "nightly-1-b4c5d", annotations: undefined } }),
    oldObject: upload,
    by: TENANT,
  },
  "data-download-create-becomes-ours": {
    object: aDataDownload(),
    known: { contents: [retainedContent], retained, dataUploads: [movedUpload] },
  },
  "data-download-create-becomes-ours-by-what-the-backup-says": {
    object: aDataDownload(),
    known: { contents: [retainedContent], retained, results: [result] },
  },
  "data-download-create-becomes-ours-for-another-cluster": {
    object: aDataDownload(),
    policy: { restore: { acrossClusters: true } },
    known: { results: [result] },
  },
  "data-download-create-would-become-ours-in-audit-mode": {
    object: aDataDownload(),
    policy: { mode: "audit" },
    known: { contents: [retainedContent], retained, dataUploads: [movedUpload] },
  },
  "data-download-create-is-left-when-nothing-is-retained": { object: aDataDownload() },
  "data-download-create-is-left-when-its-snapshot-was-pruned": {
    object: aDataDownload(),
    known: { dataUploads: [prunedUpload] },
  },
  "data-download-create-is-left-without-a-controller": {
    object: aDataDownload(),
    context: { controllerAlive: false },
  },
  "data-download-create-is-left-when-the-policy-says-so": {
    object: aDataDownload(),
    policy: { restore: { fromRetained: false } },
  },
  "data-download-create-of-another-mover-is-left-exactly": {
    object: aDataDownload({ spec: { datamover: "acme" } }),
  },
  "sao-create-is-an-original": acme({}),
  "sao-create-is-a-clone": acme({
    known: {
      originals: {
        "acme acme-77": {
          inherited: aDocument({ kind: "acme", backup: undefined, labels: { "acme.io/tier": "gold" } }),
          labels: { "acme.io/tier": "gold" },
        },
      },
    },
    object: anAcmeSnapshot({ metadata: { name: "acme-snap-2", labels: { "acme.io/snapshot": "true" } } }),
  }),
  "sao-create-without-a-volume-gets-no-labels": acme({
    object: anAcmeSnapshot({ data: { pvcName: undefined } }),
  }),
  "sao-create-by-anyone-else-loses-forged-labels": acme({
    object: anAcmeSnapshot({ metadata: { labels: { "acme.io/snapshot": "true", ...identity } } }),
    by: TENANT,
  }),
  "sao-update-puts-labels-back": acme({
    oldObject: anAcmeSnapshot({ metadata: { labels: { "acme.io/snapshot": "true", ...identity } } }),
    by: TENANT,
  }),
  "sao-not-selected-is-left": acme({ object: anAcmeSnapshot({ metadata: { labels: { other: "x" } } }) }),
  "policy-audit-says-what-it-would-change": { object: aBackup(), by: TENANT, policy: { mode: "audit" } },
  "policy-paused-labels-on": { object: aVolumeSnapshot(), known: { backups }, policy: { mode: "paused" } },
  "policy-none-leaves-everything": { object: aBackup(), by: TENANT, policy: null },
  "request-dry-run-is-answered-alike": { object: asked("9"), by: TENANT, fields: { dryRun: true } },
  "request-of-a-kind-without-a-rule-is-left": {
    object: { apiVersion: "v1", kind: "Pod", metadata: { name: "p", namespace: "app" } },
  },
  "request-for-a-subresource-is-left": { object: aBackup(), fields: { subResource: "status" } },
  "request-of-an-unreadable-object-is-left": {
    object: { ...aBackup(), metadata: { name: "b", namespace: "velero", labels: { a: 1 } } },
  },
  "request-whose-look-up-fails-is-left": {
    object: aVolumeSnapshot(),
    context: { lookup: aFailingLookup() },
  },
};

function acme(parts: Partial<GoldenCase>): GoldenCase {
  const policy = { snapshotAssociatedObjects: [ACME] };
  return { object: anAcmeSnapshot(), by: ACME_MOVER, policy, ...parts };
}
