import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { availableBinaries } from "../cluster/availability.ts";
import { startCluster } from "../cluster/cluster.ts";
import type { Cluster } from "../cluster/cluster.ts";
import { renderText } from "./chart.ts";

/*
 * Which requests the API server takes to the webhook. It needs no webhook to find out: the URL is that of a closed
 * port and the failure policy is Fail, so a request that is taken there is refused, in the name of the webhook.
 */

const { binaries, skip } = await availableBinaries("demo");
const cluster = binaries === undefined ? undefined : await startCluster({ binaries });
after(async () => cluster?.stop());

const ALIAS = "velero.io/snapshot-alias-name";
const INHERITED = "snapshot-retainer.io/inherited";
const DECISION = "snapshot-retainer.io/restore-decision";
const LIMIT = "backup.velero.io/data-mover-snapshot-to-retain";

const values = {
  webhook: { url: "https://127.0.0.1:1", failurePolicy: "Fail" },
  certs: { mode: "external" },
  policy: {
    dataMovers: { accounts: ["system:serviceaccount:acme-mover:*"] },
    snapshotAssociatedObjects: [
      {
        name: "acme",
        resource: "configmaps",
        matchLabels: { "acme.io/snapshot": "true" },
        namespaces: ["acme-mover"],
        accounts: ["system:serviceaccount:acme-mover:*"],
        volume: { name: "/data/volume" },
        snapshotHandle: "/data/handle",
      },
    ],
  },
};

interface Metadata {
  readonly name?: string;
  readonly namespace?: string;
  readonly labels?: Record<string, string>;
  readonly annotations?: Record<string, string>;
  readonly finalizers?: string[];
}

/** A request: what is created, or the stored object and the patch of it; and the webhook that it reaches, if any. */
interface Case {
  readonly object: object;
  readonly patch?: object;
  readonly as?: string;
  readonly reaches?:
    "backups" | "volumesnapshots" | "volumesnapshotcontents" | "datauploads" | "datadownloads" | "acme.sao";
}

const creations: Record<string, Case> = {
  "a Backup": { object: aBackup({}), reaches: "backups" },
  "a Backup of a client that sends the phase New": { object: aBackup({}, "New"), reaches: "backups" },
  "a Backup that the sync controller brings": { object: aBackup({}, "Completed") },
  "a Backup outside Velero's namespaces": { object: aBackup({ namespace: "app" }) },
  "a VolumeSnapshot of Velero": {
    object: aSnapshot({ labels: { "velero.io/backup-name": "b" } }),
    reaches: "volumesnapshots",
  },
  "a clone in Velero's namespace": { object: aSnapshot({ namespace: "velero" }), reaches: "volumesnapshots" },
  "a data mover's VolumeSnapshot": {
    object: aSnapshot({}),
    as: "system:serviceaccount:acme-mover:mover",
    reaches: "volumesnapshots",
  },
  "a tenant's VolumeSnapshot": { object: aSnapshot({ labels: { app: "shop" } }) },
  "a tenant's VolumeSnapshot with a forged label": {
    object: aSnapshot({ labels: { [ALIAS]: "x" } }),
    reaches: "volumesnapshots",
  },
  "a tenant's VolumeSnapshot with a forged annotation": {
    object: aSnapshot({ annotations: { [INHERITED]: "{}" } }),
    reaches: "volumesnapshots",
  },
  "a VolumeSnapshot in our own namespace": {
    object: aSnapshot({ namespace: "snapshot-retainer", labels: { [ALIAS]: "x" } }),
  },
  "a VolumeSnapshot in kube-system": {
    object: aSnapshot({ namespace: "kube-system", labels: { [ALIAS]: "x" } }),
  },
  "the content of a VolumeSnapshot of Velero": {
    object: aContent({}, { volumeHandle: "v" }, "velero-data-abcde"),
    reaches: "volumesnapshotcontents",
  },
  "the content of another tool's VolumeSnapshot": {
    object: aContent({}, { volumeHandle: "v" }, "nightly-data"),
  },
  "a clone's content": { object: aContent({}, { snapshotHandle: "s" }), reaches: "volumesnapshotcontents" },
  "the content of a native restore": {
    object: aContent({ labels: { "velero.io/restore-name": "r" } }, { snapshotHandle: "s" }),
  },
  "the content of a native restore with a forged label": {
    object: aContent({ labels: { "velero.io/restore-name": "r", [ALIAS]: "x" } }, { snapshotHandle: "s" }),
    reaches: "volumesnapshotcontents",
  },
  "Velero's temporary content at the deletion of a backup": { object: aTemporaryContent({}) },
  "Velero's temporary content, whatever it carries": {
    object: aTemporaryContent({ labels: { [ALIAS]: "x" } }),
  },
  "a content that only looks like a temporary one": {
    object: { ...aTemporaryContent({}), metadata: { name: "content-1" } },
    reaches: "volumesnapshotcontents",
  },
  "a DataUpload": { object: aDataUpload({}), reaches: "datauploads" },
  "a DataUpload outside Velero's namespaces": { object: aDataUpload({ namespace: "app" }) },
  "a DataDownload": { object: aDataDownload({}), reaches: "datadownloads" },
  "a DataDownload of an empty data mover": { object: aDataDownload({}, ""), reaches: "datadownloads" },
  "a DataDownload of Velero's data mover": { object: aDataDownload({}, "velero"), reaches: "datadownloads" },
  "a DataDownload of another data mover": { object: aDataDownload({}, "acme") },
  "a DataDownload that is ours already": { object: aDataDownload({}, "snapshot-retainer") },
  "a DataDownload outside Velero's namespaces": { object: aDataDownload({ namespace: "app" }) },
  "another plugin's snapshot": {
    object: aConfigMap({ labels: { "acme.io/snapshot": "true" } }),
    reaches: "acme.sao",
  },
  "another object of that resource": { object: aConfigMap({}) },
  "such an object in another namespace": {
    object: aConfigMap({ namespace: "app", labels: { "acme.io/snapshot": "true" } }),
  },
};

const LABELLED = {
  labels: { [ALIAS]: "x", "velero.io/backup-name": "b" },
  annotations: { [INHERITED]: "{}" },
};

const updates: Record<string, Case> = {
  "of another annotation of a Backup": {
    object: aBackup({ annotations: { [LIMIT]: "3" } }),
    patch: annotated({ note: "n" }),
  },
  "that changes the limit of a Backup": {
    object: aBackup({ annotations: { [LIMIT]: "3" } }),
    patch: annotated({ [LIMIT]: "4" }),
    reaches: "backups",
  },
  "that removes the limit of a Backup": {
    object: aBackup({ annotations: { [LIMIT]: "3" } }),
    patch: annotated({ [LIMIT]: null }),
    reaches: "backups",
  },
  "that brings a Backup forward": { object: aBackup({}), patch: { status: { phase: "InProgress" } } },
  "of another label of a VolumeSnapshot": { object: aSnapshot(LABELLED), patch: labelled({ app: "shop" }) },
  "that changes the alias of a VolumeSnapshot": {
    object: aSnapshot(LABELLED),
    patch: labelled({ [ALIAS]: "y" }),
    reaches: "volumesnapshots",
  },
  "that removes the alias of a VolumeSnapshot": {
    object: aSnapshot(LABELLED),
    patch: labelled({ [ALIAS]: null }),
    reaches: "volumesnapshots",
  },
  "that removes every annotation of a VolumeSnapshot": {
    object: aSnapshot(LABELLED),
    patch: { metadata: { annotations: null } },
    reaches: "volumesnapshots",
  },
  "by which Velero claims a member of a group snapshot": {
    object: aSnapshot({}),
    patch: labelled({ "velero.io/backup-name": "b" }),
    reaches: "volumesnapshots",
  },
  "of a VolumeSnapshot that is being deleted": {
    object: aSnapshot({ ...LABELLED, finalizers: ["example.com/held"] }),
    patch: labelled({ [ALIAS]: "y" }),
  },
  "that retains a content": {
    object: aContent(LABELLED, { snapshotHandle: "s" }),
    patch: { spec: { deletionPolicy: "Retain" } },
  },
  "that replaces the annotations of a content": {
    object: aContent(LABELLED, { snapshotHandle: "s" }),
    patch: { metadata: { annotations: { [INHERITED]: null, other: "o" } } },
    reaches: "volumesnapshotcontents",
  },
  "that reports the progress of a DataUpload": {
    object: aDataUpload(LABELLED),
    patch: { status: { progress: { bytesDone: 5 } } },
  },
  "that changes the alias of a DataUpload": {
    object: aDataUpload(LABELLED),
    patch: labelled({ [ALIAS]: "y" }),
    reaches: "datauploads",
  },
  "that hands a DataDownload back to Velero": {
    object: aDataDownload({ annotations: { [DECISION]: "from retained snapshot s" } }, "snapshot-retainer"),
    patch: { metadata: { annotations: { [DECISION]: "by data movement" } }, spec: { datamover: null } },
  },
  "of the data of another plugin's snapshot": {
    object: aConfigMap({ labels: { "acme.io/snapshot": "true", [ALIAS]: "x" } }),
    patch: { data: { ready: "true" } },
  },
  "that changes the alias of another plugin's snapshot": {
    object: aConfigMap({ labels: { "acme.io/snapshot": "true", [ALIAS]: "x" } }),
    patch: labelled({ [ALIAS]: "y" }),
    reaches: "acme.sao",
  },
};

describe("the API server", { skip }, () => {
  before(async () => {
    for (const namespace of ["snapshot-retainer", "app", "acme-mover"]) {
      await there().kubectl(["create", "namespace", namespace]);
    }
    let number = 0;
    for (const { object } of Object.values(updates)) {
      number += 1;
      await there().kubectl(["create", "-f", "-"], {
        stdin: JSON.stringify(named(object, `stored-${number}`)),
      });
      if (JSON.stringify(object).includes("example.com/held")) {
        await there().kubectl(["delete", "volumesnapshot", "-n", "app", `stored-${number}`, "--wait=false"]);
      }
    }
    const text = await renderText(there().binaries.helm, { values, more: ["--no-hooks"] });
    await there().kubectl(["apply", "--server-side", "-f", "-"], { stdin: text });
    await untilWebhooksAreCalled();
  });

  for (const [name, { object, as, reaches }] of Object.entries(creations)) {
    test(`${reaches === undefined ? "does not take" : "takes"} ${name} to the webhook`, async () => {
      const identity = as === undefined ? [] : [`--as=${as}`, "--as-group=system:masters"];
      const stdin = JSON.stringify(named(object, "created"));
      const result = await there().kubectl([...identity, "create", "--dry-run=server", "-f", "-"], {
        stdin,
        allowFailure: true,
      });
      assertReaches(result, reaches);
    });
  }

  let number = 0;
  for (const [name, { object, patch, reaches }] of Object.entries(updates)) {
    number += 1;
    const stored = `stored-${number}`;
    test(`${reaches === undefined ? "does not take" : "takes"} an update ${name} to the webhook`, async () => {
      const stdin = JSON.stringify(named(object, stored));
      const args = [
        "patch",
        "--dry-run=server",
        "--type=merge",
        `--patch=${JSON.stringify(patch)}`,
        "-f",
        "-",
      ];
      assertReaches(await there().kubectl(args, { stdin, allowFailure: true }), reaches);
    });
  }
});

function there(): Cluster {
  assert.ok(cluster);
  return cluster;
}

function assertReaches(result: { stderr: string; code: number }, webhook: string | undefined): void {
  if (webhook === undefined) {
    assert.equal(result.code, 0, result.stderr);
    return;
  }
  assert.match(result.stderr, new RegExp(`failed calling webhook "${webhook}[.]snapshot-retainer[.]io"`));
}

/** The API server learns of a new webhook configuration a moment after it was written. */
async function untilWebhooksAreCalled(): Promise<void> {
  const deadline = Date.now() + 30_000;
  for (;;) {
    const stdin = JSON.stringify(named(aBackup({}), "created"));
    const { code } = await there().kubectl(["create", "--dry-run=server", "-f", "-"], {
      stdin,
      allowFailure: true,
    });
    if (code !== 0) {
      return;
    }
    assert.ok(Date.now() < deadline, "no webhook was called within 30 seconds");
  }
}

function named(object: object, name: string): object {
  const { metadata } = { metadata: {}, ...object };
  return { ...object, metadata: { name, ...metadata } };
}

function labelled(labels: Record<string, string | null>): object {
  return { metadata: { labels } };
}

function annotated(annotations: Record<string, string | null>): object {
  return { metadata: { annotations } };
}

function aBackup(metadata: Metadata, phase?: string): object {
  const status = phase === undefined ? {} : { status: { phase } };
  return {
    apiVersion: "velero.io/v1",
    kind: "Backup",
    metadata: { namespace: "velero", ...metadata },
    spec: {},
    ...status,
  };
}

function aSnapshot(metadata: Metadata): object {
  return {
    apiVersion: "snapshot.storage.k8s.io/v1",
    kind: "VolumeSnapshot",
    metadata: { namespace: "app", ...metadata },
    spec: { source: { volumeSnapshotContentName: "none" } },
  };
}

function aContent(metadata: Metadata, source: object, snapshot = "clone"): object {
  return {
    apiVersion: "snapshot.storage.k8s.io/v1",
    kind: "VolumeSnapshotContent",
    metadata,
    spec: {
      deletionPolicy: "Delete",
      driver: "csi.example.com",
      source,
      volumeSnapshotRef: { namespace: "app", name: snapshot },
    },
  };
}

function aTemporaryContent(metadata: Metadata): object {
  const uuid = "0f8fad5b-d9cb-469f-a165-70867728950e";
  return {
    ...aContent({ name: `vsc-${uuid}`, ...metadata }, { snapshotHandle: "s" }),
    spec: {
      deletionPolicy: "Delete",
      driver: "csi.example.com",
      source: { snapshotHandle: "s" },
      volumeSnapshotRef: { namespace: `ns-${uuid}`, name: `name-${uuid}` },
    },
  };
}

function aDataUpload(metadata: Metadata): object {
  return {
    apiVersion: "velero.io/v2alpha1",
    kind: "DataUpload",
    metadata: { namespace: "velero", ...metadata },
    spec: {
      backupStorageLocation: "default",
      operationTimeout: "10m",
      snapshotType: "CSI",
      sourceNamespace: "app",
      sourcePVC: "data",
      csiSnapshot: { snapshotClass: "array", storageClass: "array", volumeSnapshot: "velero-data-abcde" },
    },
  };
}

function aDataDownload(metadata: Metadata, datamover?: string): object {
  return {
    apiVersion: "velero.io/v2alpha1",
    kind: "DataDownload",
    metadata: { namespace: "velero", ...metadata },
    spec: {
      backupStorageLocation: "default",
      operationTimeout: "10m",
      snapshotID: "s",
      sourceNamespace: "app",
      targetVolume: { namespace: "app", pv: "", pvc: "data" },
      ...(datamover === undefined ? {} : { datamover }),
    },
  };
}

function aConfigMap(metadata: Metadata): object {
  return {
    apiVersion: "v1",
    kind: "ConfigMap",
    metadata: { namespace: "acme-mover", ...metadata },
    data: {},
  };
}
