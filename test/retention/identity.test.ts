import { annotated } from "../builders/documents.ts";
import { testPlans } from "../builders/plan-cases.ts";
import { cloneSnapshot, claimed, documentOf, retained, taken, taking } from "../builders/world.ts";

const within = "kept within_number";
const young = { name: "s1", age: "10m" };
const running = { upload: "InProgress", backup: "InProgress" };
const copy = { ...documentOf({ name: "s1", age: "1h" }) };
const otherMover = { spec: { datamover: "acme" } };

testPlans("what belongs to others is neither counted nor freed", {
  "a content that is labelled as retained, without proof": {
    world: [retained("s1", "3d", { documents: "none", upload: null }), claimed()],
    policy: { snapshotsToRetain: 0 },
    want: {},
    actions: [],
  },
  "a content with our document, changed by somebody": {
    world: [
      retained("s1", "3d", {
        upload: null,
        content: {
          metadata: {
            annotations: {
              "snapshot-retainer.io/inherited": JSON.stringify({ ...copy, signature: "forged" }),
            },
          },
        },
      }),
      claimed(),
    ],
    policy: { snapshotsToRetain: 0 },
    want: {},
  },
  "a content of another snapshot that our document was copied onto": {
    world: [
      retained("s2", "3d", {
        upload: null,
        content: { metadata: { annotations: annotated(copy) } },
      }),
      claimed(),
    ],
    policy: { snapshotsToRetain: 0 },
    want: {},
  },
  "a content of another driver that our document was copied onto": {
    world: [
      retained("s1", "3d", {
        upload: null,
        driver: "other.io",
        content: { metadata: { annotations: annotated(copy) } },
      }),
      claimed(),
    ],
    policy: { snapshotsToRetain: 0 },
    want: {},
  },
  "a content of a native restore": {
    world: [retained("s1", "3d", { labels: { "velero.io/restore-name": "r" } }), claimed()],
    policy: { snapshotsToRetain: 0 },
    want: {},
  },
  "Velero's temporary content at backup deletion": {
    world: [
      {
        contents:
          taken({
            name: "vsc-1",
            age: "1m",
            documents: "none",
            deletionPolicy: "Delete",
            content: { spec: { volumeSnapshotRef: { namespace: "ns-1", name: "vs-1" } } },
          }).contents ?? [],
      },
      claimed(),
    ],
    want: {},
  },
  "a content with the name of a DataUpload, made for another VolumeSnapshot": {
    world: [
      taken({
        ...young,
        documents: "upload",
        content: { spec: { volumeSnapshotRef: { name: "another" } } },
      }),
      claimed(),
    ],
    want: {},
  },
  "a content with the name of a DataUpload in a namespace that is not Velero's": {
    world: [taken({ ...young, documents: "none" }), claimed()],
    policy: { velero: { namespaces: ["velero-2"] } },
    want: {},
  },
  "a content with the name of a DataUpload, on another driver": {
    world: [
      taken({ ...young, documents: "none", dataUpload: { spec: { csiSnapshot: { driver: "other.io" } } } }),
      claimed(),
    ],
    want: {},
  },
  "a content with the name of a DataUpload that moves another handle": {
    world: [
      taken({
        ...young,
        documents: "none",
        dataUpload: { status: { dataMoverResult: { snapshotHandle: "another" } } },
      }),
      claimed(),
    ],
    want: {},
  },
  "a VolumeSnapshot of somebody else": {
    world: [taking("s1", "1m", { documents: "none", backup: "Completed" }), claimed()],
    want: {},
  },
  "a VolumeSnapshot that claims a Backup which moves no data": {
    world: [
      taking("s1", "1m", { documents: "none", backupObject: { spec: { snapshotMoveData: false } } }),
      claimed(),
    ],
    want: {},
  },
});

testPlans("what stands for a snapshot", {
  "a tenant's label with the name of a running Backup counts": {
    world: [taking("s1", "1m", { documents: "none" }), claimed()],
    want: { "snapcontent-s1": "kept being_taken" },
  },
  "a tenant's label counts once for each volume and Backup": {
    world: [
      taking("s1", "1m", { documents: "none" }),
      {
        snapshots: ["x", "y"].flatMap((name) =>
          (taking("s1", "2m", { documents: "none" }).snapshots ?? []).map((snapshot) => ({
            ...snapshot,
            metadata: { ...snapshot.metadata, name, uid: name },
            status: null,
          })),
        ),
      },
      claimed(),
    ],
    want: { "snapcontent-s1": "kept being_taken" },
  },
  "a VolumeSnapshot without a content counts": {
    world: [{ ...taking("s1", "1m"), contents: [] }, claimed()],
    want: { "velero-s1": "kept being_taken" },
  },
  "a clone's VolumeSnapshot does not count beside its content": {
    world: [taken({ ...young, ...running }), cloneSnapshot("s1"), claimed()],
    want: { s1: "kept uploading" },
  },
  "a content is found by its DataUpload though their aliases differ, since the handle is the same": {
    world: [
      taken({
        ...young,
        content: { metadata: { annotations: annotated({ ...copy, alias: "another" }) } },
      }),
      claimed(),
    ],
    want: { s1: within },
  },
  "a content is found by its DataUpload though their aliases differ, where no handle is known": {
    world: [
      taken({
        ...young,
        content: { metadata: { annotations: annotated(withoutSnapshot("another")) } },
        dataUpload: { metadata: { annotations: annotated(withoutSnapshot("alias-s1")) } },
        backup: "PartiallyFailed",
      }),
      claimed(),
    ],
    want: { s1: within },
  },
  "a clone of another data mover is found by its document": {
    world: [
      taken({
        ...young,
        ...running,
        dataUpload: { ...otherMover, metadata: { name: "upload-1" } },
      }),
      claimed(),
    ],
    want: { s1: "kept uploading" },
  },
  "a clone of another data mover is found by its handle": {
    world: [
      taken({
        ...young,
        ...running,
        documents: "upload",
        dataUpload: { ...otherMover, metadata: { name: "upload-1" } },
      }),
      claimed(),
    ],
    want: { s1: "kept uploading" },
  },
  "a clone of Velero's own mover under another name is somebody's copy": {
    world: [taken({ ...young, dataUpload: { metadata: { name: "upload-1" } } }), claimed()],
    want: {},
  },
  "a copy of a retained content is not taken for it, and protects it": {
    world: [
      retained("s1", "3d", { upload: null }),
      {
        contents: (retained("s1", "3d").contents ?? []).map((content) => ({
          ...content,
          metadata: { ...content.metadata, name: "a-copy", uid: "copy", labels: {} },
        })),
      },
      claimed(),
    ],
    policy: { snapshotsToRetain: 0 },
    want: { s1: "kept shared_handle" },
  },
  "two contents for one handle, of which none is labelled, count once": {
    world: [
      taken({ ...young, upload: null }),
      {
        contents: (taken({ ...young, upload: null }).contents ?? []).map((content) => ({
          ...content,
          metadata: { ...content.metadata, name: "s0", uid: "twin" },
        })),
      },
      claimed(),
    ],
    want: { s0: "kept shared_handle" },
  },
  "an original's VolumeSnapshot does not count beside its clone, when its content went first": {
    world: [
      { ...taking("s1", "10m"), contents: [], backups: [] },
      taken({
        ...young,
        ...running,
        dataUpload: { spec: { csiSnapshot: { volumeSnapshot: "velero-s1" } } },
      }),
      claimed(),
    ],
    want: { s1: "kept uploading" },
  },
  "two retained contents for one handle count once": {
    world: [
      retained("s1", "3d", { upload: null }),
      {
        contents: (retained("s1", "3d").contents ?? []).map((content) => ({
          ...content,
          metadata: { ...content.metadata, name: "s0", uid: "twin" },
        })),
      },
      claimed(),
    ],
    want: { s0: "kept shared_handle" },
  },
  "a DataUpload of the same name in another Velero namespace is not this one's": {
    world: [
      taken({ ...young, backup: "InProgress" }),
      {
        dataUploads: (taken({ ...young, upload: "Failed" }).dataUploads ?? []).map((upload) => ({
          ...upload,
          metadata: { ...upload.metadata, namespace: "velero-2" },
        })),
      },
      claimed(),
    ],
    policy: { velero: { namespaces: ["velero", "velero-2"] } },
    want: { s1: "kept waiting_for_backup" },
  },
  "a volume that is no PVC is counted by its name": {
    world: [
      retained("s1", "3d", {
        upload: null,
        content: {
          metadata: { annotations: annotated({ ...copy, volumeName: "vol-77", volume: { name: "vol-77" } }) },
        },
      }),
    ],
    want: { s1: within },
  },
  "a snapshot that names no Backup waits for a proof": {
    world: [
      taken({
        ...young,
        upload: null,
        content: {
          metadata: { annotations: annotated(withoutBackup()) },
        },
      }),
      claimed(),
    ],
    want: { s1: "kept unproven" },
    actions: [],
  },
});

testPlans("members of a VolumeGroupSnapshot", {
  "are left alone, by their annotation": {
    world: [
      taken({
        ...young,
        deletionPolicy: "Delete",
        ...running,
        content: {
          metadata: { annotations: { "groupsnapshot.storage.k8s.io/volumeGroupSnapshotHandle": "g" } },
        },
      }),
      claimed(),
    ],
    want: { s1: "kept group_member" },
    actions: [],
  },
  "are left alone, by their status": {
    world: [
      taken({ ...young, upload: "Failed", content: { status: { volumeGroupSnapshotHandle: "g" } } }),
      claimed(),
    ],
    want: { s1: "kept group_member" },
    actions: [],
  },
  "are left alone where only the original says so": {
    world: [
      taken({ ...young, ...running }),
      taking("s1", "10m", {
        content: {
          metadata: { annotations: { "groupsnapshot.storage.k8s.io/volumeGroupSnapshotHandle": "g" } },
          status: { snapshotHandle: "handle-s1" },
        },
      }),
      claimed(),
    ],
    want: { s1: "kept group_member" },
    actions: [],
  },
  "are counted while they are taken": {
    world: [
      taking("s1", "1m", {
        content: {
          metadata: { annotations: { "groupsnapshot.storage.k8s.io/volumeGroupSnapshotHandle": "g" } },
        },
      }),
      claimed(),
    ],
    want: { "snapcontent-s1": "kept being_taken" },
  },
});

function withoutBackup(): ReturnType<typeof documentOf> {
  const { backup: _, ...document } = copy;
  return document;
}

function withoutSnapshot(alias: string): ReturnType<typeof documentOf> {
  const { snapshot: _, ...document } = copy;
  return { ...document, alias };
}
