import { toLabelValue } from "../../src/kube/label-value.ts";
import { testPlans } from "../builders/plan-cases.ts";
import {
  aDeleteRequest,
  ago,
  aLocation,
  claimed,
  cloneSnapshot,
  msAgo,
  recorded,
  retained,
  taken,
  taking,
  documentOf,
} from "../builders/world.ts";

const young = { name: "s1", age: "10m" };
const old = { name: "s1", age: "3h" };
const running = { upload: "InProgress", backup: "WaitingForPluginOperations" };

testPlans("a snapshot that is asked to go by its label", {
  "goes, though it is the last": {
    world: [retained("s1", "2d", { labels: { "snapshot-retainer.io/release": "true" } }), claimed()],
    want: { s1: "going release_asked" },
    actions: ["free s1"],
  },
  "stays while it is pinned": {
    world: [
      retained("s1", "2d", {
        labels: { "snapshot-retainer.io/release": "true", "snapshot-retainer.io/pin": "true" },
      }),
      claimed(),
    ],
    want: { s1: "kept pinned" },
    actions: [],
  },
  "stays while its data is copied": {
    world: [taken({ ...young, ...running, labels: { "snapshot-retainer.io/release": "true" } }), claimed()],
    want: { s1: "kept uploading" },
    actions: ["record s1"],
  },
  "stays where the label says false": {
    world: [retained("s1", "2d", { labels: { "snapshot-retainer.io/release": "false" } }), claimed()],
    want: { s1: "kept within_number" },
    actions: [],
  },
});

testPlans("a snapshot on its way", {
  "stays while Velero takes it": {
    world: [taking("s1", "1m"), claimed()],
    want: { "snapcontent-s1": "kept being_taken" },
    actions: [],
  },
  "stays while its data is copied, and is recorded": {
    world: [taken({ ...young, ...running }), claimed()],
    want: { s1: "kept uploading" },
    actions: ["record s1"],
  },
  "counts once while original and clone both exist": {
    world: [
      taking("s1", "1m", { content: { status: { snapshotHandle: "handle-s1" } } }),
      taken({ ...young, ...running }),
      claimed(),
    ],
    want: { s1: "kept uploading" },
  },
  "stays when uploaded until its Backup has ended": {
    world: [taken({ ...young, backup: "Finalizing" }), claimed()],
    want: { s1: "kept waiting_for_backup" },
    actions: ["record s1"],
  },
  "is retained when its Backup is Completed": {
    world: [taken(young), claimed()],
    want: { s1: "kept within_number" },
    actions: ["record s1", "mark s1"],
  },
  "is retained when its Backup is PartiallyFailed and its own upload Completed": {
    world: [taken({ ...young, backup: "PartiallyFailed" }), claimed()],
    want: { s1: "kept within_number" },
    actions: ["record s1", "mark s1"],
  },
  "is set to Retain while it runs, where the webhook did not": {
    world: [taken({ ...young, ...running, deletionPolicy: "Delete" }), claimed()],
    want: { s1: "kept uploading" },
    actions: ["protect s1", "record s1"],
  },
  "is left to Velero when it completed with the policy Delete": {
    world: [taken({ ...young, deletionPolicy: "Delete" }), claimed()],
    want: { s1: "kept left_to_velero" },
    actions: [],
  },
  "is not set to Retain at a number of 0": {
    world: [taken({ ...young, ...running, deletionPolicy: "Delete" }), claimed()],
    policy: { snapshotsToRetain: 0 },
    want: { s1: "kept uploading" },
    actions: [],
  },
  "is left alone where its DataUpload decided not to retain": {
    world: [
      taken({
        ...young,
        ...running,
        deletionPolicy: "Delete",
        dataUpload: { metadata: { annotations: { "snapshot-retainer.io/retain": "false" } } },
      }),
      claimed(),
    ],
    want: { s1: "kept not_wanted" },
    actions: [],
  },
  "is left alone where nobody decided and the number is 0": {
    world: [taken({ ...young, ...running, deletionPolicy: "Delete", documents: "none" }), claimed()],
    policy: { snapshotsToRetain: 0 },
    want: { s1: "kept not_wanted" },
    actions: [],
  },
  "is retained by what its DataUpload tells, where no webhook answered": {
    world: [taken({ ...young, documents: "none" }), claimed()],
    want: { s1: "kept within_number" },
    actions: ["record s1", "label s1", "mark s1"],
  },
  "is retained by what its DataUpload tells, where the clone came without a document": {
    world: [taken({ ...young, documents: "upload" }), claimed()],
    want: { s1: "kept within_number" },
    actions: ["record s1", "label s1", "mark s1"],
  },
});

testPlans("a snapshot that failed", {
  "goes when its upload Failed": {
    world: [taken({ ...young, upload: "Failed", backup: "InProgress" }), claimed()],
    want: { s1: "going upload_failed" },
    actions: ["free s1"],
  },
  "goes when its upload was Canceled": {
    world: [taken({ ...young, upload: "Canceled", backup: "PartiallyFailed" }), claimed()],
    want: { s1: "going upload_canceled" },
    actions: ["free s1"],
  },
  "goes when its upload Failed although it is labelled as retained": {
    world: [taken({ ...young, upload: "Failed", backup: "PartiallyFailed", retained: true }), claimed()],
    want: { s1: "going upload_failed" },
  },
  "goes when its upload Failed before it was set to Retain": {
    world: [taken({ ...young, upload: "Failed", deletionPolicy: "Delete" }), claimed()],
    want: { s1: "going upload_failed" },
  },
  "goes when its Backup Failed after the upload": {
    world: [taken({ ...young, backup: "Failed" }), claimed()],
    want: { s1: "going backup_failed" },
    actions: ["free s1"],
  },
  "goes when its upload completed after the Backup had ended": {
    world: [taken({ ...young, dataUpload: { status: { completionTimestamp: ago("1m") } } }), claimed()],
    want: { s1: "going upload_too_late" },
  },
  "is retained when its upload completed in the second in which its Backup ended": {
    world: [taken({ ...young, dataUpload: { status: { completionTimestamp: ago("7m") } } }), claimed()],
    want: { s1: "kept within_number" },
  },
  "waits for a mover whose Backup is not there": {
    world: [taken({ ...old, upload: "InProgress", backup: null }), claimed()],
    want: { s1: "kept uploading" },
  },
  "waits for a mover that runs on after its Backup": {
    world: [taken({ ...young, upload: "InProgress" }), claimed()],
    want: { s1: "kept uploading" },
  },
  "goes an hour after its Backup where the mover never finished": {
    world: [taken({ ...old, upload: "InProgress" }), claimed()],
    want: { s1: "going mover_never_finished" },
    actions: ["free s1"],
  },
  "goes an hour after it was taken where its Backup does not say when it ended": {
    world: [
      taken({
        ...old,
        upload: "Prepared",
        backup: "Failed",
        backupObject: { status: { completionTimestamp: undefined } },
      }),
      claimed(),
    ],
    want: { s1: "going mover_never_finished" },
  },
});

testPlans("a snapshot whose DataUpload is gone", {
  "is retained where its Backup is Completed: then all uploads were": {
    world: [taken({ ...young, upload: null }), claimed()],
    want: { s1: "kept within_number" },
    actions: ["mark s1"],
  },
  "waits for a Backup in progress": {
    world: [taken({ ...young, upload: null, backup: "InProgress" }), claimed()],
    want: { s1: "kept waiting_for_backup" },
    actions: [],
  },
  "goes where its Backup is PartiallyFailed: this one may be what failed": {
    world: [taken({ ...young, upload: null, backup: "PartiallyFailed" }), claimed()],
    want: { s1: "going upload_unproven" },
  },
  "goes where its Backup Failed": {
    world: [taken({ ...young, upload: null, backup: "Failed" }), claimed()],
    want: { s1: "going backup_failed" },
  },
  "stays where it is labelled as retained, whatever its Backup says": {
    world: [retained("s1", "3h", { upload: null, backup: "PartiallyFailed" }), claimed()],
    want: { s1: "kept within_number" },
    actions: [],
  },
  "is left to Velero where it was never set to Retain": {
    world: [taken({ ...young, upload: null, deletionPolicy: "Delete" }), claimed()],
    want: { s1: "kept left_to_velero" },
    actions: [],
  },
});

const synced = { storageLocations: [aLocation("1m")] };
function missing(since: string): { missingSince: Map<string, number> } {
  return { missingSince: new Map([["velero/b-s1", msAgo(since)]]) };
}
const orphan = retained("s1", "3d", { upload: null, backup: null });

testPlans("a snapshot whose Backup is deleted", {
  "goes with a Backup that is Deleting": {
    world: [retained("s1", "3d", { backup: "Deleting" }), claimed()],
    want: { s1: "going backup_deleted" },
    actions: ["free s1"],
  },
  "goes with a DeleteBackupRequest in progress": {
    world: [
      retained("s1", "3d"),
      claimed(),
      { deleteBackupRequests: [aDeleteRequest("b-s1", "InProgress")] },
    ],
    want: { s1: "going backup_deleted" },
  },
  "stays with a DeleteBackupRequest that is not in progress": {
    world: [retained("s1", "3d"), claimed(), { deleteBackupRequests: [aDeleteRequest("b-s1", "New")] }],
    want: { s1: "kept within_number" },
  },
  "stays with a request to delete another Backup": {
    world: [
      retained("s1", "3d"),
      claimed(),
      { deleteBackupRequests: [aDeleteRequest("b-s2", "InProgress")] },
    ],
    want: { s1: "kept within_number" },
  },
  "goes where the deletion was seen and all objects are gone": {
    world: [orphan, claimed(), { deletions: new Map([["velero/b-s1", msAgo("1m")]]) }],
    want: { s1: "going backup_deleted" },
  },
  "stays where the deletion that was seen was of an earlier Backup of that name": {
    world: [orphan, claimed(), { deletions: new Map([["velero/b-s1", msAgo("9d")]]) }],
    want: { s1: "kept within_number" },
  },
  "stays while its data is still being copied": {
    world: [taken({ ...young, upload: "InProgress", backup: "Deleting" }), claimed()],
    want: { s1: "kept uploading" },
  },
  "goes with a Backup that is Deleting before it was marked": {
    world: [taken({ ...young, backup: "Deleting" }), claimed()],
    want: { s1: "going backup_deleted" },
  },
});

testPlans("a snapshot whose Backup is not there", {
  "stays at first": { world: [orphan, claimed(), synced], want: { s1: "kept within_number" }, actions: [] },
  "stays for ten minutes": {
    world: [orphan, claimed(), synced, missing("9m")],
    want: { s1: "kept within_number" },
  },
  "goes after ten minutes, when its storage location was synced since": {
    world: [orphan, claimed(), synced, missing("11m")],
    want: { s1: "going backup_gone" },
    actions: ["free s1"],
  },
  "stays where the location was not synced since": {
    world: [orphan, claimed(), { storageLocations: [aLocation("2h")] }, missing("1h")],
    want: { s1: "kept within_number" },
  },
  "stays where the location is not available": {
    world: [
      orphan,
      claimed(),
      { storageLocations: [aLocation("1m", { status: { phase: "Unavailable" } })] },
      missing("1h"),
    ],
    want: { s1: "kept within_number" },
  },
  "stays where one of two locations was not synced": {
    world: [orphan, claimed(), { storageLocations: [aLocation("1m"), aLocation("2h")] }, missing("1h")],
    want: { s1: "kept within_number" },
  },
  "stays where there is no location that it could come back from": {
    world: [orphan, claimed(), missing("1h")],
    want: { s1: "kept within_number" },
  },
  "stays for three periods of a slow sync": {
    world: [
      orphan,
      claimed(),
      { storageLocations: [aLocation("1m", { spec: { backupSyncPeriod: "1h0m0s" } })] },
      missing("2h"),
    ],
    want: { s1: "kept within_number" },
  },
  "goes after three periods of a slow sync": {
    world: [
      orphan,
      claimed(),
      { storageLocations: [aLocation("1m", { spec: { backupSyncPeriod: "1h0m0s" } })] },
      missing("4h"),
    ],
    want: { s1: "going backup_gone" },
  },
  "is not marked meanwhile": {
    world: [taken({ ...young, upload: null, backup: null }), claimed(), synced, missing("2m")],
    want: { s1: "kept backup_missing" },
    actions: [],
  },
  "goes by the sweep although it was never marked": {
    world: [taken({ ...old, upload: null, backup: null }), claimed(), synced, missing("11m")],
    want: { s1: "going backup_gone" },
  },
  "stays when its Backup was synced back, with another uid and a later creation": {
    world: [
      retained("s1", "3d", {
        upload: null,
        backupObject: { metadata: { uid: "another", creationTimestamp: ago("1m") } },
      }),
      claimed(),
    ],
    want: { s1: "kept within_number" },
  },
  "goes when a Backup of the same name was started later": {
    world: [
      retained("s1", "3d", {
        upload: null,
        backupObject: { metadata: { creationTimestamp: ago("1d") }, status: { startTimestamp: ago("1d") } },
      }),
      claimed(),
    ],
    want: { s1: "going backup_replaced" },
  },
  "stays when the storage's clock says that it was taken before its Backup": {
    world: [retained("s1", "3d", { content: { status: { creationTime: msAgo("4d") * 1e6 } } }), claimed()],
    want: { s1: "kept within_number" },
  },
  "finds a Backup whose long name a label holds shortened": {
    world: [
      taken({
        name: "s1",
        age: "10m",
        documents: "none",
        dataUpload: {
          metadata: {
            ownerReferences: undefined,
            labels: { "velero.io/backup-name": toLabelValue("b".repeat(70)) },
          },
        },
        backupObject: { metadata: { name: "b".repeat(70) } },
      }),
      claimed(),
    ],
    want: { s1: "kept within_number" },
  },
});

const gone = { contents: [] };
const uploads = retained("s1", "3d").dataUploads ?? [];
const lost = { dataUploads: uploads, backups: retained("s1", "3d").backups ?? [] };

testPlans("a snapshot whose content is deleted", {
  "is made again where its DataUpload has it on record": {
    world: [gone, lost, claimed()],
    want: { s1: "kept object_missing" },
    actions: ["recreate s1"],
  },
  "is made again where it was seen to disappear and its DataUpload is gone": {
    world: [
      { backups: retained("s1", "3d").backups ?? [], vanished: retained("s1", "3d").contents ?? [] },
      claimed(),
    ],
    want: { s1: "kept object_missing" },
    actions: ["recreate s1"],
  },
  "is made again once, where both say so": {
    world: [lost, { vanished: retained("s1", "3d").contents ?? [] }, claimed()],
    want: { s1: "kept object_missing" },
    actions: ["recreate s1"],
  },
  "is made again although its upload failed, so that its snapshot can be freed": {
    world: [
      {
        dataUploads:
          taken({
            ...old,
            upload: "Failed",
            dataUpload: { status: { dataMoverResult: recorded("s1", documentOf(old)) } },
          }).dataUploads ?? [],
      },
      claimed(),
    ],
    want: { s1: "kept object_missing" },
    actions: ["recreate s1"],
  },
  "is not made again once it was released": {
    world: [
      {
        dataUploads:
          retained("s1", "3d", {
            dataUpload: { metadata: { annotations: { "snapshot-retainer.io/released": "over_number" } } },
          }).dataUploads ?? [],
        vanished: retained("s1", "3d").contents ?? [],
      },
      claimed(),
    ],
    want: {},
    actions: [],
  },
  "is not made again where we freed it and nobody else remembers": {
    world: [
      {
        vanished:
          retained("s1", "3d", { labels: { "snapshot-retainer.io/released": "over_number" } }).contents ?? [],
      },
      claimed(),
    ],
    want: {},
  },
  "is not made again while another content stands for it": {
    world: [
      lost,
      { contents: retained("other", "3d", { handle: "handle-s1", documents: "none" }).contents ?? [] },
      claimed(),
    ],
    want: {},
    actions: [],
  },
  "stays and waits where it is deleted by hand with the policy Retain": {
    world: [retained("s1", "3d", { content: { metadata: { deletionTimestamp: ago("1m") } } }), claimed()],
    want: { s1: "kept deleted_by_hand" },
    actions: [],
  },
  "goes, and is released, where it is deleted by hand with the policy Delete": {
    world: [
      retained("s1", "3d", {
        deletionPolicy: "Delete",
        content: { metadata: { deletionTimestamp: ago("1m") } },
      }),
      claimed(),
    ],
    want: { s1: "going being_deleted" },
    actions: ["release s1"],
  },
  "stays where its policy was set to Delete by hand": {
    world: [retained("s1", "3d", { deletionPolicy: "Delete" }), claimed()],
    want: { s1: "kept set_to_delete_by_hand" },
    actions: [],
  },
  "goes on going where we set its policy to Delete": {
    world: [
      retained("s1", "3d", {
        deletionPolicy: "Delete",
        labels: { "snapshot-retainer.io/released": "over_number" },
      }),
      claimed(),
    ],
    want: { s1: "going over_number" },
    actions: ["free s1"],
  },
  "goes on going where its DataUpload was released, for whatever reason": {
    world: [
      retained("s1", "3d", {
        dataUpload: { metadata: { annotations: { "snapshot-retainer.io/released": "nonsense" } } },
      }),
      cloneSnapshot("s1"),
      claimed(),
    ],
    want: { s1: "going released" },
    actions: ["free s1"],
  },
});
