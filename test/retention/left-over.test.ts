import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { Free } from "../../src/retention/plan.ts";
import type { World } from "../../src/retention/world.ts";
import type { Overrides } from "../builders/objects.ts";
import { testPlans } from "../builders/plan-cases.ts";
import { ago, aWorld, claimed, NOW, planOf, retained, taken, taking } from "../builders/world.ts";
import type { Taken } from "../builders/world.ts";

/** Two minutes after it was taken, and ten seconds before now, its upload ended. */
const failed = { name: "s1", age: "2m10s", upload: "Failed", backup: "PartiallyFailed" } as const;
const pin = { labels: { "snapshot-retainer.io/pin": "true" } };

const named = { spec: { csiSnapshot: { volumeSnapshot: "velero-s1" } } };

/** Velero's original of `failed`, without its VolumeSnapshot. */
function original(changes: Overrides = {}, options: Partial<Taken> = {}): Partial<World> {
  const content = {
    spec: { deletionPolicy: "Retain" },
    ...changes,
    status: { snapshotHandle: "handle-s1" },
  };
  const { contents = [] } = taking("s1", failed.age, { ...options, content });
  return { contents };
}

function withSnapshot(): Partial<World> {
  const { snapshots = [] } = taking("s1", failed.age);
  return { snapshots };
}

function upload(changes: Partial<Taken> = {}): Partial<World> {
  return { ...taken({ ...failed, dataUpload: named, ...changes }), contents: [] };
}

testPlans("an original that was left behind", {
  "does not keep the snapshot of an upload that failed": {
    world: [taken(failed), original(), claimed()],
    want: { s1: "going upload_failed" },
    actions: ["free s1"],
  },
  "does not keep it where no webhook answered when it was taken": {
    world: [taken(failed), original({}, { documents: "none" }), claimed()],
    want: { s1: "going upload_failed" },
    actions: ["free s1"],
  },
  "does not keep it when its DataUpload is gone with its Backup": {
    world: [
      taken({ ...failed, upload: null, backup: null }),
      original(),
      claimed(),
      { deletions: new Map([["velero/b-s1", NOW]]) },
    ],
    want: { s1: "going backup_deleted" },
    actions: ["free s1"],
  },
  "stays with what is pinned": {
    world: [taken({ ...failed, ...pin }), original(), claimed()],
    want: { s1: "kept pinned" },
    actions: [],
  },
  "stays while the upload runs": {
    world: [taken({ ...failed, upload: "Accepted", backup: "InProgress" }), original(), claimed()],
    want: { s1: "kept uploading" },
  },
  "stays while nobody knows what became of its Backup": {
    world: [taken({ ...failed, upload: null, backup: null }), original(), claimed()],
    want: { s1: "kept backup_missing" },
    actions: [],
  },
  "goes by itself where it was never cloned": {
    world: [upload(), original(), claimed()],
    want: { "snapcontent-s1": "going upload_failed" },
    actions: ["free snapcontent-s1"],
  },
  "goes by itself where the upload was cancelled": {
    world: [upload({ upload: "Canceled" }), original(), claimed()],
    want: { "snapcontent-s1": "going upload_canceled" },
  },
  "stays by itself while the upload may still begin": {
    world: [upload({ upload: "" }), original(), claimed()],
    want: { "snapcontent-s1": "kept being_taken" },
    actions: [],
  },
  "stays by itself when the upload completed": {
    world: [upload({ upload: "Completed" }), original(), claimed()],
    want: { "snapcontent-s1": "kept being_taken" },
    actions: [],
  },
  "stays by itself where another data mover may need it": {
    world: [upload({ dataUpload: { spec: { ...named.spec, datamover: "acme" } } }), original(), claimed()],
    want: { "snapcontent-s1": "kept being_taken" },
    actions: [],
  },
  "stays by itself where its DataUpload names another VolumeSnapshot": {
    world: [upload({ dataUpload: {} }), original(), claimed()],
    want: { "snapcontent-s1": "kept being_taken" },
    actions: [],
  },
  "is nobody's business without a document of ours": {
    world: [upload(), original({}, { documents: "none" }), claimed()],
    want: {},
    actions: [],
  },
});

describe("freeing with an original", () => {
  function freed(...world: Partial<World>[]): Free {
    const found = planOf(aWorld(...world, claimed())).actions.find(({ kind }) => kind === "free");
    assert.ok(found?.kind === "free");
    return found;
  }
  const content = { name: "snapcontent-s1", uid: "uid-of-original-s1", resourceVersion: undefined };

  test("says what it lacks", () => {
    assert.deepEqual(freed(taken(failed), original()).original, {
      content,
      deleting: false,
      unmarked: true,
      snapshot: undefined,
    });
  });
  test("says that only waiting is left", () => {
    const annotations = { "snapshot.storage.kubernetes.io/volumesnapshot-being-deleted": "yes" };
    const metadata = { deletionTimestamp: ago("1m"), annotations };
    const { deleting, unmarked } = freed(taken(failed), original({ metadata })).original ?? {};
    assert.deepEqual({ deleting, unmarked }, { deleting: true, unmarked: false });
  });
  test("leaves its VolumeSnapshot to Velero for half a minute", () => {
    const found = freed(taken(failed), original(), withSnapshot()).original?.snapshot;
    const { name, namespace, deleteAt } = found ?? {};
    assert.deepEqual(
      { name, namespace, deleteAt },
      { name: "velero-s1", namespace: "app", deleteAt: NOW + 20_000 },
    );
  });
  test("that stands alone frees by that one", () => {
    const { content: found, original: beside, handle, deletionPolicy } = freed(upload(), original());
    assert.deepEqual(
      { found, beside, handle, deletionPolicy },
      { found: content, beside: undefined, handle: "handle-s1", deletionPolicy: "Retain" },
    );
  });
  test("has none once that is gone", () => {
    assert.equal(freed(retained("s1", "1d", { upload: "Failed" })).original, undefined);
  });
});
