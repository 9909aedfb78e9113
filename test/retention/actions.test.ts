import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { Action } from "../../src/retention/plan.ts";
import type { World } from "../../src/retention/world.ts";
import {
  ago,
  aWorld,
  BOUND_PROTECTION,
  claimed,
  cloneSnapshot,
  documentOf,
  NOW,
  planOf,
  recorded,
  retained,
  taken,
} from "../builders/world.ts";

const young = { name: "s1", age: "10m" };
const running = { upload: "InProgress", backup: "InProgress" };
const content = { name: "s1", uid: "uid-s1", resourceVersion: "7" };
const dataUpload = { namespace: "velero", name: "s1", uid: "uid-of-upload-s1", resourceVersion: "5" };
const document = documentOf(young);
const labels = {
  "velero.io/snapshot-alias-name": "alias-s1",
  "velero.io/snapshot-volume-name": "app.data",
  "snapshot-retainer.io/backup-name": "b-s1",
  "velero.io/exclude-from-backup": "true",
};
const secret = {
  "snapshot.storage.kubernetes.io/deletion-secret-name": "s",
  "snapshot.storage.kubernetes.io/deletion-secret-namespace": "n",
};
const none = { snapshotsToRetain: 0 };

function action(kind: Action["kind"], world: readonly Partial<World>[], policy = {}): Action | undefined {
  return planOf(aWorld(...world, claimed()), policy).actions.find((found) => found.kind === kind);
}

describe("protect", () => {
  test("names the content as it is", () => {
    const { message: _, ...found } = action("protect", [
      taken({ ...young, ...running, deletionPolicy: "Delete" }),
    ]) ?? { message: "" };
    const finalizers = [BOUND_PROTECTION, "snapshot-retainer.io/hold"];
    assert.deepEqual(found, { kind: "protect", key: "s1", content, finalizers });
  });
  test("leaves the finalizers of one that is held", () => {
    const found = action("protect", [taken({ ...young, ...running, deletionPolicy: "Delete", held: true })]);
    assert.ok(found?.kind === "protect");
    assert.equal(found.finalizers, undefined);
  });
  test("comes before all else", () => {
    const plan = planOf(
      aWorld(taken({ ...young, ...running, deletionPolicy: "Delete", documents: "none" }), claimed()),
    );
    assert.deepEqual(
      plan.actions.map(({ kind }) => kind),
      ["protect", "record", "label", "mend"],
    );
  });
});

describe("record", () => {
  test("has what is needed to make the content again", () => {
    const found = action("record", [
      taken({ ...young, ...running, content: { metadata: { annotations: secret } } }),
    ]);
    assert.ok(found?.kind === "record");
    assert.deepEqual(found.dataUpload, dataUpload);
    assert.equal(found.retainedSnapshot, "s1");
    assert.deepEqual(found.result, {
      ...recorded("s1", document),
      deletionSecretName: "s",
      deletionSecretNamespace: "n",
    });
  });
  test("has only what is known", () => {
    const found = action("record", [
      taken({
        ...young,
        ...running,
        volumeHandle: undefined,
        content: { spec: { volumeSnapshotClassName: null } },
      }),
      { claims: [] },
    ]);
    assert.ok(found?.kind === "record");
    const { volumeHandle: _, snapshotClass: __, ...known } = recorded("s1", document);
    // By the claim, which existed then, the volume is known all the same.
    assert.deepEqual(found.result, { ...known, volumeHandle: "vol-1" });
  });
  const isRecorded = { status: { dataMoverResult: recorded("s1", document) } };
  const cases: Record<string, [changes: object, want: boolean]> = {
    "is made where nothing is on record": [{}, true],
    "is made where the name is not on record": [isRecorded, true],
    "is not made again with the name in an annotation": [
      { ...isRecorded, metadata: { annotations: { "snapshot-retainer.io/retained-snapshot": "s1" } } },
      false,
    ],
    "is not made again with the name in the status": [
      { status: { ...isRecorded.status, retainedSnapshot: "s1" } },
      false,
    ],
    "is made again where another handle is on record": [
      {
        status: {
          retainedSnapshot: "s1",
          dataMoverResult: { ...recorded("s1", document), alias: "another" },
        },
      },
      true,
    ],
    "keeps what others wrote": [
      {
        status: { retainedSnapshot: "s1", dataMoverResult: { ...recorded("s1", document), theirs: "x" } },
      },
      false,
    ],
  };
  for (const [name, [changes, want]] of Object.entries(cases)) {
    test(name, () => {
      const found = action("record", [taken({ ...young, ...running, dataUpload: changes })]);
      assert.equal(found !== undefined, want);
    });
  }
});

describe("label", () => {
  test("gives the document that the DataUpload tells", () => {
    const found = action("label", [taken({ ...young, ...running, documents: "upload" })]);
    assert.ok(found?.kind === "label");
    assert.deepEqual(found.content, content);
    assert.deepEqual(found.labels, labels);
    assert.deepEqual(found.document, document);
  });
  test("makes a document from the DataUpload itself", () => {
    const found = action("label", [taken({ ...young, ...running, documents: "none" })]);
    assert.ok(found?.kind === "label");
    assert.deepEqual(found.document, { ...document, alias: "uid-of-upload-s1" });
  });
  test("puts labels back that somebody removed, and leaves the document", () => {
    const found = action("label", [
      retained("s1", "1d", { content: { metadata: { labels: { "velero.io/snapshot-alias-name": "x" } } } }),
    ]);
    assert.ok(found?.kind === "label");
    assert.equal(found.document, undefined);
    assert.deepEqual(found.labels, labels);
  });
  test("is not given to one that goes", () => {
    assert.equal(action("label", [retained("s1", "1d", { documents: "none" })], none), undefined);
  });
});

test("mark labels a content as retained", () => {
  const found = action("mark", [taken(young)]);
  assert.ok(found?.kind === "mark");
  assert.deepEqual(found.content, content);
  assert.deepEqual(found.labels, { "snapshot-retainer.io/retained": "true" });
});

describe("release", () => {
  const deleting = { metadata: { deletionTimestamp: ago("1m") } };
  test("names the DataUpload of what somebody else is freeing", () => {
    const found = action("release", [retained("s1", "1d", { deletionPolicy: "Delete", content: deleting })]);
    assert.ok(found?.kind === "release");
    assert.deepEqual(found.dataUpload, dataUpload);
    assert.equal(found.reason, "being_deleted");
  });
  test("is not needed without a DataUpload", () => {
    const world = [retained("s1", "1d", { upload: null, deletionPolicy: "Delete", content: deleting })];
    assert.equal(action("release", world), undefined);
  });
});

describe("free", () => {
  test("has all that its steps depend on", () => {
    const found = action("free", [retained("s1", "1d")], none);
    assert.deepEqual(found, {
      kind: "free",
      key: "s1",
      reason: "number_is_zero",
      message: "the number of its volume is 0",
      content,
      handle: "handle-s1",
      driver: "rbd.csi.ceph.com",
      started: false,
      makesRoom: false,
      deleting: false,
      deletionPolicy: "Retain",
      labels: { "snapshot-retainer.io/released": "number_is_zero" },
      finalizers: undefined,
      bound: true,
      markedBeingDeleted: true,
      handleInStatus: true,
      snapshot: undefined,
      release: dataUpload,
      original: undefined,
    });
  });
  test("knows what a content that was never bound lacks", () => {
    const found = action(
      "free",
      [
        retained("s1", "1d", {
          upload: null,
          content: {
            metadata: {
              annotations: { "snapshot.storage.kubernetes.io/volumesnapshot-being-deleted": undefined },
            },
            spec: { volumeSnapshotRef: { uid: undefined } },
            status: { snapshotHandle: undefined },
          },
        }),
      ],
      none,
    );
    assert.ok(found?.kind === "free");
    const { bound, markedBeingDeleted, handleInStatus, release } = found;
    assert.deepEqual(
      { bound, markedBeingDeleted, handleInStatus, release },
      { bound: false, markedBeingDeleted: false, handleInStatus: false, release: undefined },
    );
  });
  test("goes on where it was begun", () => {
    const found = action("free", [
      retained("s1", "1d", {
        deletionPolicy: "Delete",
        labels: { "snapshot-retainer.io/released": "over_number" },
        content: { metadata: { deletionTimestamp: ago("5s") } },
        dataUpload: { metadata: { annotations: { "snapshot-retainer.io/released": "over_number" } } },
      }),
    ]);
    assert.ok(found?.kind === "free");
    const { started, deleting, reason, release } = found;
    assert.deepEqual(
      { started, deleting, reason, release },
      { started: true, deleting: true, reason: "over_number", release: undefined },
    );
  });

  const snapshot = { namespace: "velero", name: "s1", uid: "uid-of-snapshot-s1", resourceVersion: "3" };
  const failed = { ...young, age: "2m10s", upload: "Failed" };
  const at = NOW - 10_000;
  test("leaves a VolumeSnapshot to Velero for half a minute", () => {
    const found = action("free", [taken(failed), cloneSnapshot("s1")]);
    assert.ok(found?.kind === "free");
    assert.deepEqual(found.snapshot, { ...snapshot, deleteAt: at + 30_000 });
    assert.equal(planOf(aWorld(taken(failed), cloneSnapshot("s1"), claimed())).recheckAt, at + 30_000);
  });
  test("does not wait where Velero will not do it", () => {
    const stuck = taken({ ...young, age: "3h", upload: "InProgress" });
    const found = action("free", [stuck, cloneSnapshot("s1")]);
    assert.ok(found?.kind === "free");
    assert.deepEqual(found.snapshot, { ...snapshot, deleteAt: NOW });
  });
  test("does not wait where the DataUpload does not say when it ended", () => {
    const timedOut = taken({ ...failed, dataUpload: { status: { completionTimestamp: undefined } } });
    const found = action("free", [timedOut, cloneSnapshot("s1")]);
    assert.ok(found?.kind === "free");
    assert.equal(found.snapshot?.deleteAt, NOW);
  });
  test("leaves another VolumeSnapshot of that name alone", () => {
    const others = { content: { spec: { volumeSnapshotRef: { uid: "another" } } } };
    const found = action("free", [taken({ ...failed, ...others }), cloneSnapshot("s1")]);
    assert.ok(found?.kind === "free");
    assert.equal(found.snapshot, undefined);
  });
});

describe("recreate", () => {
  test("makes a content of what is on record", () => {
    const { dataUploads = [], backups = [] } = retained("s1", "1d", {
      dataUpload: {
        status: { dataMoverResult: { deletionSecretName: "s", deletionSecretNamespace: "n" } },
      },
    });
    const { message: _, ...found } = action("recreate", [{ dataUploads, backups }]) ?? { message: "" };
    assert.deepEqual(found, {
      kind: "recreate",
      key: "s1",
      name: "s1",
      driver: "rbd.csi.ceph.com",
      handle: "handle-s1",
      snapshotClass: "fast",
      sourceVolumeMode: undefined,
      labels,
      annotations: secret,
      document,
      snapshotRef: { namespace: "velero", name: "s1" },
    });
  });
  test("makes a pinned one again that is pinned, though the DataUpload knows of no pin", () => {
    const {
      contents: vanished = [],
      dataUploads,
      backups,
    } = retained("s1", "1d", {
      labels: { "snapshot-retainer.io/pin": "true" },
    });
    const found = action("recreate", [{ vanished, dataUploads: dataUploads ?? [], backups: backups ?? [] }]);
    assert.ok(found?.kind === "recreate");
    assert.equal(found.labels["snapshot-retainer.io/pin"], "true");
  });
  test("makes a content of what was seen last", () => {
    const { contents: vanished = [], backups = [] } = retained("s1", "1d", {
      labels: { mine: "x", "snapshot-retainer.io/pin": "true" },
      content: { spec: { sourceVolumeMode: "Block" }, metadata: { annotations: secret } },
    });
    const found = action("recreate", [{ vanished, backups }]);
    assert.ok(found?.kind === "recreate");
    assert.equal(found.sourceVolumeMode, "Block");
    assert.deepEqual(found.annotations, secret);
    assert.deepEqual(found.labels, {
      ...labels,
      mine: "x",
      "snapshot-retainer.io/retained": "true",
      "snapshot-retainer.io/pin": "true",
    });
    assert.deepEqual(found.snapshotRef, { namespace: "velero", name: "s1" });
  });
});
