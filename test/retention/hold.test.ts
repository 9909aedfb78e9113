import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { Action } from "../../src/retention/plan.ts";
import type { World } from "../../src/retention/world.ts";
import { testPlans } from "../builders/plan-cases.ts";
import {
  ago,
  aLocation,
  aWorld,
  BOUND_PROTECTION,
  claimed,
  msAgo,
  planOf,
  retained,
  taken,
} from "../builders/world.ts";
import type { Taken } from "../builders/world.ts";

const HOLD = "snapshot-retainer.io/hold";
const deleted = { metadata: { deletionTimestamp: ago("1m"), finalizers: [HOLD] } };
const held = { held: true, content: deleted } as const;
const young = { name: "s1", age: "10m" } as const;
const none = { snapshotsToRetain: 0 };
const pin = { labels: { "snapshot-retainer.io/pin": "true" } };
const within = "kept within_number";

/** What `s1` was made again as. */
function successor(options: Partial<Taken> = {}): Partial<World> {
  const metadata = { name: "again-uid-s1", uid: "uid-of-successor" };
  const { contents = [] } = retained("s1", "1d", { ...options, held: true, content: { metadata } });
  return { contents };
}

testPlans("a content that was deleted while our finalizer holds it", {
  "is let go where its DataUpload has it on record, to be made again under its name": {
    world: [retained("s1", "1d", held), claimed()],
    want: { s1: within },
    actions: ["letGo s1"],
  },
  "is recorded first while its data is copied": {
    world: [taken({ ...young, ...held, upload: "InProgress", backup: "InProgress" }), claimed()],
    want: { s1: "kept uploading" },
    actions: ["record s1", "letGo s1"],
  },
  "is retained as if it were not": {
    world: [taken({ ...young, ...held }), claimed()],
    want: { s1: within },
    actions: ["record s1", "mark s1", "letGo s1"],
  },
  "is made again under another name where no DataUpload is left": {
    world: [retained("s1", "1d", { ...held, upload: null }), claimed()],
    want: { s1: within },
    actions: ["recreate s1"],
  },
  "is made again before its Backup is found to be gone for good": {
    world: [taken({ ...young, ...held, upload: null, backup: null }), claimed()],
    want: { s1: "kept backup_missing" },
    actions: ["recreate s1"],
  },
  "is let go once it was made again, and counts once": {
    world: [retained("s1", "1d", { ...held, upload: null }), successor(), claimed()],
    want: { "again-uid-s1": "kept shared_handle" },
    actions: ["letGo again-uid-s1"],
  },
  "is let go though its label is gone already": {
    world: [taken({ name: "s1", age: "1d", ...held, upload: null }), successor(), claimed()],
    want: { "again-uid-s1": "kept shared_handle" },
    actions: ["letGo again-uid-s1"],
  },
  "is let go though its successor is not labelled yet, which it is then": {
    world: [retained("s1", "1d", { ...held, upload: null }), successor({ retained: false }), claimed()],
    want: { "again-uid-s1": "kept shared_handle" },
    actions: ["mark again-uid-s1", "letGo again-uid-s1"],
  },
  "is not let go for the sake of another content of its handle": {
    world: [
      retained("s1", "1d", { ...held, upload: null }),
      { contents: retained("other", "1d", { handle: "handle-s1", documents: "none" }).contents ?? [] },
      claimed(),
    ],
    want: { s1: "kept shared_handle" },
    actions: ["recreate s1"],
  },
  "is freed when its upload failed": {
    world: [taken({ ...young, ...held, upload: "Failed", backup: "PartiallyFailed" }), claimed()],
    want: { s1: "going upload_failed" },
    actions: ["free s1"],
  },
  "is freed when its Backup is gone for good": {
    world: [
      taken({ ...young, ...held, upload: null, backup: null }),
      { storageLocations: [aLocation("1m")], missingSince: new Map([["velero/b-s1", msAgo("1h")]]) },
      claimed(),
    ],
    want: { s1: "going backup_gone" },
    actions: ["free s1"],
  },
  "stays while it is pinned, whatever else": {
    world: [retained("s1", "1d", { ...held, ...pin }), claimed()],
    policy: none,
    want: { s1: "kept pinned" },
    actions: ["letGo s1"],
  },
  "is let go when its snapshot is freed": {
    world: [
      retained("s1", "1d", {
        ...held,
        deletionPolicy: "Delete",
        labels: { "snapshot-retainer.io/released": "over_number" },
        content: { ...deleted, status: { snapshotHandle: undefined } },
      }),
      claimed(),
    ],
    want: { s1: "going over_number" },
    actions: ["letGo s1", "free s1"],
  },
  "is let go when somebody else had its snapshot freed": {
    world: [
      retained("s1", "1d", {
        ...held,
        deletionPolicy: "Delete",
        content: { ...deleted, status: { snapshotHandle: undefined } },
      }),
      claimed(),
    ],
    want: { s1: "going being_deleted" },
    actions: ["release s1", "letGo s1"],
  },
  "is held while its snapshot is being freed": {
    world: [retained("s1", "1d", { ...held, deletionPolicy: "Delete" }), claimed()],
    want: { s1: "going being_deleted" },
    actions: ["release s1"],
  },
  "is held where its status never told of its snapshot": {
    world: [retained("s1", "1d", { ...held, deletionPolicy: "Delete" }), claimed()].map((part) => ({
      ...part,
      contents: (part.contents ?? []).map((content) => ({ ...content, status: null })),
    })),
    want: { s1: "going being_deleted" },
    actions: ["release s1"],
  },
  "is told of where nothing proves that it is ours": {
    world: [retained("s1", "1d", { ...held, upload: null, documents: "none" }), claimed()],
    want: {},
    actions: [],
  },
});

describe("the finalizers of a content that goes", () => {
  function finalizersOf(options: Partial<Taken>): readonly string[] | undefined {
    const { actions } = planOf(aWorld(retained("s1", "1d", options), claimed()), none);
    const found = actions.find(({ kind }) => kind === "free");
    assert.ok(found?.kind === "free");
    return found.finalizers;
  }
  const cases: Record<string, [finalizers: string[], isDeleted: boolean, want: string[] | undefined]> = {
    "lose ours": [[HOLD, BOUND_PROTECTION], false, [BOUND_PROTECTION]],
    "stay without ours": [[BOUND_PROTECTION], false, undefined],
    "get the sidecar's for ours": [[HOLD], false, [BOUND_PROTECTION]],
    "keep those of others": [["theirs"], false, ["theirs", BOUND_PROTECTION]],
    "lose ours when it was deleted and the sidecar's keeps it": [
      [HOLD, BOUND_PROTECTION],
      true,
      [BOUND_PROTECTION],
    ],
    "keep ours when it was deleted and no other keeps it": [[HOLD], true, undefined],
  };
  for (const [name, [finalizers, isDeleted, want]] of Object.entries(cases)) {
    test(name, () => {
      const metadata = { finalizers, ...(isDeleted && { deletionTimestamp: ago("1m") }) };
      assert.deepEqual(finalizersOf({ content: { metadata } }), want);
    });
  }
});

test("a successor has all of its predecessor but the name", () => {
  const world = aWorld(
    retained("s1", "1d", { held: true, upload: null, ...pin, content: deleted }),
    claimed(),
  );
  const found: Action | undefined = planOf(world).actions.find(({ kind }) => kind === "recreate");
  assert.ok(found?.kind === "recreate");
  const { name, key, handle, labels, snapshotRef } = found;
  assert.deepEqual(
    { name, key, handle, snapshotRef },
    {
      name: "again-uid-s1",
      key: "s1",
      handle: "handle-s1",
      snapshotRef: { namespace: "velero", name: "s1" },
    },
  );
  assert.equal(labels["snapshot-retainer.io/retained"], "true");
  assert.equal(labels["snapshot-retainer.io/pin"], "true");
});

test("one that nobody can prove to be ours is told of", () => {
  const world = aWorld(retained("s1", "1d", { ...held, upload: null, documents: "none" }), claimed());
  assert.deepEqual(
    planOf(world).notices.map(({ reason }) => reason),
    ["NotBelieved"],
  );
});
