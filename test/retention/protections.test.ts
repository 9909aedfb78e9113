import { writeSource } from "../../src/restore/source.ts";
import type { World } from "../../src/retention/world.ts";
import { SIGNER } from "../builders/documents.ts";
import { DRIVER } from "../builders/objects.ts";
import { ago, claimed, cloneSnapshot, retained, taken, taking, waitingFor } from "../builders/world.ts";
import { testPlans } from "../builders/plan-cases.ts";

const pin = { labels: { "snapshot-retainer.io/pin": "true" } };
const none = { snapshotsToRetain: 0 };
const within = "kept within_number";
const over = "going over_number";

/** The world's DataDownloads: one, ours, that restores from a snapshot of this handle. */
function restoring(handle: string, phase?: string): Partial<World> {
  const spec = { datamover: "snapshot-retainer", targetVolume: { namespace: "app", pvc: "data" } };
  const source = writeSource(
    { name: "s1", driver: DRIVER, handle, local: true },
    { namespace: "", spec },
    SIGNER,
  );
  return {
    dataDownloads: [
      {
        metadata: { annotations: { "snapshot-retainer.io/restore-source": source } },
        spec,
        status: { phase },
      },
    ],
  };
}

testPlans("a restore", {
  "protects its snapshot, whatever the number": {
    world: [retained("s1", "3d", { handle: "h1" }), retained("s2", "1d"), claimed(), restoring("h1")],
    policy: none,
    want: { s1: "kept in_restore", s2: "going number_is_zero" },
  },
  "protects its snapshot when the Backup is deleted": {
    world: [
      retained("s1", "3d", { handle: "h1", backup: "Deleting" }),
      claimed(),
      restoring("h1", "InProgress"),
    ],
    want: { s1: "kept in_restore" },
  },
  "that is over protects nothing": {
    world: [retained("s1", "3d", { handle: "h1" }), claimed(), restoring("h1", "Completed")],
    policy: none,
    want: { s1: "going number_is_zero" },
  },
});

testPlans("a pin", {
  "protects from the number, and counts": {
    world: [
      retained("s1", "4d", pin),
      retained("s2", "3d"),
      retained("s3", "2d"),
      retained("s4", "1d"),
      claimed(),
    ],
    want: { s1: "kept pinned", s2: over, s3: within, s4: within },
  },
  "protects from a number of 0": {
    world: [retained("s1", "3d", pin), claimed()],
    policy: none,
    want: { s1: "kept pinned" },
    actions: [],
  },
  "protects when its Backup is deleted": {
    world: [retained("s1", "3d", { ...pin, backup: "Deleting" }), claimed()],
    want: { s1: "kept pinned" },
    actions: [],
  },
  "protects what failed": {
    world: [taken({ name: "s1", age: "5m", upload: "Failed", ...pin }), claimed()],
    want: { s1: "kept pinned" },
  },
  "protects from maxAge": {
    world: [retained("s1", "9d", pin), retained("s2", "1d"), claimed()],
    policy: { maxAge: "2d" },
    want: { s1: "kept pinned", s2: within },
  },
  "does not stop what is being deleted": {
    world: [
      retained("s1", "3d", {
        ...pin,
        deletionPolicy: "Delete",
        content: { metadata: { deletionTimestamp: ago("1m") } },
      }),
      claimed(),
    ],
    want: { s1: "going being_deleted" },
  },
  'of "false" is none': {
    world: [retained("s1", "3d", { labels: { "snapshot-retainer.io/pin": "false" } }), claimed()],
    policy: none,
    want: { s1: "going number_is_zero" },
  },
  "of any other value is one": {
    world: [retained("s1", "3d", { labels: { "snapshot-retainer.io/pin": "" } }), claimed()],
    policy: none,
    want: { s1: "kept pinned" },
  },
  "on as many as the number allows lets newer ones go": {
    world: [retained("s1", "3d", pin), retained("s2", "2d", pin), retained("s3", "1d"), claimed()],
    policy: { snapshotsToRetain: 2, keepAtLeastOne: false },
    want: { s1: "kept pinned", s2: "kept pinned", s3: over },
  },
});

testPlans("a claim that waits for its data", {
  "protects its source": {
    world: [retained("s1", "3d"), cloneSnapshot("s1"), waitingFor("s1"), claimed()],
    policy: none,
    want: { s1: "kept source_of_claim" },
  },
  "protects the handle, whichever content it is bound to": {
    world: [
      retained("s1", "3d"),
      {
        contents: retained("restore", "1m", { handle: "handle-s1", documents: "none" }).contents ?? [],
        snapshots: (cloneSnapshot("restore").snapshots ?? []).map((snapshot) => ({
          ...snapshot,
          status: null,
        })),
      },
      waitingFor("restore"),
      claimed(),
    ],
    policy: none,
    want: { s1: "kept source_of_claim" },
  },
  "is one that names its source in dataSource alone": {
    world: [
      retained("s1", "3d"),
      cloneSnapshot("s1"),
      waitingFor("s1", { spec: { dataSourceRef: undefined } }),
      claimed(),
    ],
    policy: none,
    want: { s1: "kept source_of_claim" },
  },
  "is one that names a source in another namespace": {
    world: [
      retained("s1", "3d"),
      cloneSnapshot("s1"),
      waitingFor("s1", {
        metadata: { namespace: "app" },
        spec: { dataSourceRef: { kind: "VolumeSnapshot", name: "s1", namespace: "velero" } },
      }),
      claimed(),
    ],
    policy: none,
    want: { s1: "kept source_of_claim" },
  },
  "protects no more once it is bound": {
    world: [
      retained("s1", "3d"),
      cloneSnapshot("s1"),
      waitingFor("s1", { status: { phase: "Bound" } }),
      claimed(),
    ],
    policy: none,
    want: { s1: "going number_is_zero" },
  },
  "protects nothing where its source is no VolumeSnapshot, or is not there": {
    world: [
      retained("s1", "3d"),
      cloneSnapshot("s1"),
      waitingFor("s1", { spec: { dataSourceRef: { kind: "PersistentVolumeClaim", name: "s1" } } }),
      waitingFor("s2"),
      claimed(),
    ],
    policy: none,
    want: { s1: "going number_is_zero" },
  },
});

testPlans("a handle that another content shares", {
  "is never freed": {
    world: [
      retained("s1", "3d"),
      {
        contents:
          retained("other", "1d", { handle: "handle-s1", documents: "none", upload: null }).contents ?? [],
      },
      claimed(),
    ],
    policy: none,
    want: { s1: "kept shared_handle" },
    actions: [],
  },
  "is not freed after a failure while a third one has it, besides Velero's original": {
    world: [
      taken({ name: "s1", age: "5m", upload: "Failed" }),
      taking("s1", "5m", { content: { status: { snapshotHandle: "handle-s1" } } }),
      {
        contents:
          retained("other", "1d", { handle: "handle-s1", documents: "none", upload: null }).contents ?? [],
      },
      claimed(),
    ],
    want: { s1: "kept shared_handle" },
    actions: [],
  },
  "is not freed by the number while Velero's original is still there": {
    world: [
      retained("s1", "5m"),
      taking("s1", "5m", { backup: "Completed", content: { status: { snapshotHandle: "handle-s1" } } }),
      claimed(),
    ],
    policy: none,
    want: { s1: "kept shared_handle" },
    actions: [],
  },
  "on another driver is another snapshot": {
    world: [
      retained("s1", "3d"),
      {
        contents:
          retained("other", "1d", { handle: "handle-s1", driver: "o.io", documents: "none", upload: null })
            .contents ?? [],
      },
      claimed(),
    ],
    policy: none,
    want: { s1: "going number_is_zero" },
  },
});

testPlans("a Backup in progress", {
  "protects from the limits what is labelled as retained": {
    world: [retained("s1", "3d", { upload: null, backup: "InProgress" }), claimed()],
    policy: none,
    want: { s1: "kept backup_in_progress" },
  },
});
