import { ago, claimed, msAgo, reservation, retained, taken, taking } from "../builders/world.ts";
import { toLabelValue } from "../../src/kube/label-value.ts";
import { testPlans } from "../builders/plan-cases.ts";

/** A claim whose label is shortened, and one in its namespace that is called what comes out. */
const LONG = "data-of-the-database-with-a-name-that-its-operator-generated-from-three-others-0";
const SHORTENED = toLabelValue(`app.${LONG}`).slice("app.".length);

const within = "kept within_number";
const over = "going over_number";
const running = { upload: "InProgress", backup: "InProgress" };
const three = [retained("s1", "3d"), retained("s2", "2d"), retained("s3", "1d")];

testPlans("the number", {
  "is what stays": {
    world: [...three, claimed()],
    want: { s1: within, s2: within, s3: within },
    actions: [],
  },
  "lets the oldest go": {
    world: [...three, retained("s4", "1h"), claimed()],
    want: { s1: over, s2: within, s3: within, s4: within },
    actions: ["free s1"],
  },
  "lets the oldest go first when it is lowered": {
    world: [...three, claimed()],
    policy: { snapshotsToRetain: 1 },
    want: { s1: over, s2: over, s3: within },
    actions: ["free s1", "free s2"],
  },
  "of 0 lets all go, the newest good one as well": {
    world: [...three, claimed()],
    policy: { snapshotsToRetain: 0 },
    want: { s1: "going number_is_zero", s2: "going number_is_zero", s3: "going number_is_zero" },
    actions: ["free s1", "free s2", "free s3"],
  },
  "below 0 is 0": {
    world: [retained("s1", "3d"), claimed()],
    policy: { snapshotsToRetain: -1 },
    want: { s1: "going number_is_zero" },
  },
  "counts a claim for itself that is called what another's long name is shortened to": {
    world: [
      ...three,
      retained("l1", "4d", { pvc: LONG, volumeHandle: "vol-2" }),
      retained("l2", "3d", { pvc: SHORTENED, volumeHandle: "vol-3" }),
      retained("l3", "2d", { pvc: SHORTENED, volumeHandle: "vol-3" }),
      retained("l4", "1d", { pvc: SHORTENED, volumeHandle: "vol-3" }),
    ],
    want: { s1: within, s2: within, s3: within, l1: within, l2: within, l3: within, l4: within },
    actions: [],
  },
  "makes room for such a claim among its own snapshots alone": {
    world: [
      retained("l1", "4d", { pvc: LONG, volumeHandle: undefined }),
      retained("l2", "3d", { pvc: SHORTENED, volumeHandle: undefined }),
      reservation("1s", {
        volume: { namespace: "app", name: SHORTENED },
        volumeName: toLabelValue(`app.${LONG}`),
      }),
    ],
    policy: { snapshotsToRetain: 1 },
    want: { l1: within, l2: "going making_room" },
    actions: ["free l2"],
  },
  "counts each volume for itself": {
    world: [...three, retained("l1", "4d", { pvc: "logs" }), claimed()],
    want: { s1: within, s2: within, s3: within, l1: within },
  },
  "counts a PVC of the same name in another namespace for itself": {
    world: [...three, retained("l1", "4d", { namespace: "other" }), claimed()],
    want: { s1: within, s2: within, s3: within, l1: within },
  },
  "counts a PVC that was created again with the one before": {
    world: [...three, retained("s4", "1h", { volumeHandle: "vol-2" }), claimed()],
    want: { s1: over, s2: within, s3: within, s4: within },
  },
  "counts the one being taken": {
    world: [...three, taking("s4", "1m"), claimed()],
    want: { s1: over, s2: within, s3: within, "snapcontent-s4": "kept being_taken" },
  },
  "counts the one being copied": {
    world: [...three, taken({ name: "s4", age: "5m", ...running }), claimed()],
    want: { s1: over, s2: within, s3: within, s4: "kept uploading" },
  },
  "does not count one that failed": {
    world: [...three, taken({ name: "s4", age: "5m", upload: "Failed" }), claimed()],
    want: { s1: within, s2: within, s3: within, s4: "going upload_failed" },
  },
  "does not count one whose Backup is deleted": {
    world: [...three, retained("s4", "5m", { backup: "Deleting" }), claimed()],
    want: { s1: within, s2: within, s3: within, s4: "going backup_deleted" },
  },
  "does not count one on its way that is not to be retained": {
    world: [...three, taking("s4", "1m", { schedule: "hourly" }), claimed()],
    policy: { rules: [{ name: "none", when: { schedules: ["hourly"] }, snapshotsToRetain: 0 }] },
    want: { s1: within, s2: within, s3: within, "snapcontent-s4": "kept being_taken" },
  },
  "orders by the storage's time": {
    world: [
      retained("s1", "1h", { content: { status: { creationTime: msAgo("9d") * 1e6 } } }),
      retained("s2", "2d"),
      claimed(),
    ],
    policy: { snapshotsToRetain: 1 },
    want: { s1: over, s2: within },
  },
  "orders by the object's time where the storage gives none": {
    world: [
      retained("s1", "3d", { content: { status: { creationTime: undefined } } }),
      retained("s2", "2d", { content: { status: { creationTime: 0 } } }),
      claimed(),
    ],
    policy: { snapshotsToRetain: 1 },
    want: { s1: over, s2: within },
  },
  "orders by name what was taken at the same time": {
    world: [retained("s2", "1d"), retained("s1", "1d"), claimed()],
    policy: { snapshotsToRetain: 1 },
    want: { s1: over, s2: within },
  },
  "takes one of unknown age for the newest": {
    world: [
      retained("s1", "3d", {
        upload: null,
        content: { metadata: { creationTimestamp: null }, status: { creationTime: undefined } },
      }),
      retained("s2", "1d"),
      claimed(),
    ],
    policy: { snapshotsToRetain: 1 },
    want: { s1: within, s2: over },
  },
  "may differ by schedule: each stays while fewer newer ones stay than its own allows": {
    world: [
      retained("w1", "20d", { schedule: "weekly" }),
      retained("d1", "4d", { schedule: "daily" }),
      retained("d2", "3d", { schedule: "daily" }),
      retained("d3", "2d", { schedule: "daily" }),
      claimed(),
    ],
    policy: { rules: [{ name: "daily", when: { schedules: ["daily"] }, snapshotsToRetain: 2 }] },
    want: { w1: within, d1: over, d2: within, d3: within },
  },
});

const gold = [{ name: "gold", when: { pvcLabels: { tier: "gold" } }, snapshotsToRetain: 1 }];
const fast = [{ name: "fast", when: { storageClasses: ["fast"] }, snapshotsToRetain: 1 }];
const two = [retained("s1", "2d"), retained("s2", "1d")];
const withoutUpload = [retained("s1", "2d", { upload: null }), retained("s2", "1d", { upload: null })];

testPlans("what is not known of a volume deletes nothing", {
  "a rule by labels holds while the PVC is there": {
    world: [...withoutUpload, claimed()],
    policy: { rules: gold },
    want: { s1: over, s2: within },
  },
  "it holds by what the DataUpload remembers": {
    world: two,
    policy: { rules: gold },
    want: { s1: over, s2: within },
  },
  "without either, the most generous number holds": {
    world: withoutUpload,
    policy: { rules: gold },
    want: { s1: within, s2: within },
  },
  "a rule by storage class holds by what the DataUpload remembers": {
    world: two,
    policy: { rules: fast },
    want: { s1: over, s2: within },
  },
  "without it, the most generous number holds for the class, too": {
    world: withoutUpload,
    policy: { rules: fast },
    want: { s1: within, s2: within },
  },
  "a rule by schedule does not hold while the Backup is not there": {
    world: [retained("s1", "2d", { backup: null }), retained("s2", "1d", { backup: null }), claimed()],
    policy: { rules: [{ name: "hourly", when: { schedules: ["hourly"] }, snapshotsToRetain: 0 }] },
    want: { s1: within, s2: within },
  },
  "a user's number that may be larger lets nothing go": {
    world: [...two.map((part) => ({ ...part, backups: [] })), claimed()],
    policy: { snapshotsToRetain: 1, backupAnnotation: "default" },
    want: { s1: within, s2: within },
  },
  "a ceiling by storage class does not hold for an unknown class": {
    world: withoutUpload,
    policy: { ceilings: { storageClasses: { fast: 1 } } },
    want: { s1: within, s2: within },
  },
  "volumes by UID: a PVC of another UID is another volume": {
    world: [...two.map((part) => ({ ...part, dataUploads: [] })), claimed()],
    policy: { volumeName: "uid", rules: gold },
    want: { s1: within, s2: within },
  },
});

const ceiling = { snapshotsToRetain: 9, ceilings: { drivers: { "rbd.csi.ceph.com": 2 } } };
const overCeiling = "going over_ceiling";
const recreated = { claim: { metadata: { creationTimestamp: ago("36h") } } };

testPlans("the ceiling", {
  "lets the oldest go": {
    world: [...three, claimed()],
    policy: ceiling,
    want: { s1: overCeiling, s2: within, s3: within },
    actions: ["free s1"],
  },
  "counts a VolumeSnapshot that has no content yet by the volume of its PVC": {
    world: [...two, { ...taking("s3", "1m"), contents: [] }, claimed()],
    policy: ceiling,
    want: { s1: overCeiling, s2: within, "velero-s3": "kept being_taken" },
  },
  "counts by the volume on the storage": {
    world: [...two, retained("s3", "1h", { volumeHandle: "vol-2" }), claimed()],
    policy: ceiling,
    want: { s1: within, s2: within, s3: within },
  },
  "counts the same volume under two names": {
    world: [...two, retained("l1", "3d", { pvc: "logs" }), claimed()],
    policy: ceiling,
    want: { s1: within, s2: within, l1: overCeiling },
  },
  "counts the same handle of another driver for itself": {
    world: [...two, retained("o1", "3d", { driver: "prefix.rbd.csi.ceph.com" }), claimed()],
    policy: ceiling,
    want: { s1: within, s2: within, o1: within },
  },
  "counts by the PVC's volume where nothing else tells it": {
    world: [
      ...three.slice(0, 2),
      retained("s4", "1h", { volumeHandle: undefined, upload: null }),
      claimed({ metadata: { creationTimestamp: ago("90d") } }),
    ],
    policy: ceiling,
    want: { s1: overCeiling, s2: within, s4: within },
  },
  "counts for itself what an earlier PVC of that name may have been": {
    world: [
      ...three.slice(1),
      retained("s0", "5d", { volumeHandle: undefined, upload: null }),
      claimed(recreated.claim),
    ],
    policy: ceiling,
    want: { s0: within, s2: within, s3: within },
  },
  "holds for an unknown driver: one": {
    world: [retained("s1", "2d", { driver: "x.io" }), retained("s2", "1d", { driver: "x.io" }), claimed()],
    want: { s1: overCeiling, s2: within },
  },
  "of 0 lets all go": {
    world: [...two, claimed()],
    policy: { ceilings: { drivers: { "rbd.csi.ceph.com": 0 } } },
    want: { s1: overCeiling, s2: overCeiling },
  },
});

const notReady = { ready: false };
const lastGood = "kept last_good";

testPlans("keepAtLeastOne", {
  "protects the newest good one from newer ones that are not ready": {
    world: [retained("s1", "3d"), retained("s2", "2d", notReady), retained("s3", "1d", notReady), claimed()],
    policy: { snapshotsToRetain: 2 },
    want: { s1: lastGood, s2: over, s3: within },
  },
  "protects nothing else": {
    world: [retained("s0", "4d"), retained("s1", "3d"), retained("s2", "2d", notReady), claimed()],
    policy: { snapshotsToRetain: 2 },
    want: { s0: over, s1: within, s2: within },
  },
  "does not hold where the policy says so": {
    world: [retained("s1", "3d"), retained("s2", "2d", notReady), retained("s3", "1d", notReady), claimed()],
    policy: { snapshotsToRetain: 2, keepAtLeastOne: false },
    want: { s1: over, s2: within, s3: within },
  },
  "yields to the one being taken at a number of 1": {
    world: [retained("s1", "3d"), taking("s2", "1m"), claimed()],
    policy: { snapshotsToRetain: 1 },
    want: { s1: over, "snapcontent-s2": "kept being_taken" },
  },
  "yields to the one about to be taken at a number of 1": {
    world: [retained("s1", "3d"), reservation("1s"), claimed()],
    policy: { snapshotsToRetain: 1 },
    want: { s1: "going making_room" },
  },
  "yields to the one about to be taken at a ceiling of 1": {
    world: [retained("s1", "3d"), reservation("1s"), claimed()],
    policy: { ceilings: { drivers: { "rbd.csi.ceph.com": 1 } } },
    want: { s1: "going making_room" },
  },
  "protects from maxAge": {
    world: [retained("s1", "9d"), retained("s2", "8d"), retained("s3", "1d", notReady), claimed()],
    policy: { maxAge: "5d" },
    want: { s1: "going older_than_max_age", s2: lastGood, s3: within },
  },
  "does not protect what failed": {
    world: [taken({ name: "s1", age: "5m", upload: "Failed" }), claimed()],
    want: { s1: "going upload_failed" },
  },
});

const tooOld = "going older_than_max_age";
const bucket = "kept kept_by_bucket";
const noBucket = "going not_in_a_bucket";
const young = "kept younger_than_min_age";

testPlans("age and buckets", {
  "maxAge lets older ones go": {
    world: [...three, claimed()],
    policy: { maxAge: "36h" },
    want: { s1: tooOld, s2: tooOld, s3: within },
    actions: ["free s1", "free s2"],
  },
  "maxAge says nothing of one whose age is not known": {
    world: [
      retained("s1", "3d", {
        upload: null,
        content: { metadata: { creationTimestamp: null }, status: { creationTime: undefined } },
      }),
      claimed(),
    ],
    policy: { maxAge: "1h", keepAtLeastOne: false },
    want: { s1: within },
  },
  "keep holds the newest of each day that has one": {
    world: [
      retained("d1", "10d"),
      retained("d2a", "49h"),
      retained("d2b", "48h"),
      retained("d3", "1h"),
      claimed(),
    ],
    policy: { snapshotsToRetain: 9, keep: { daily: 3 } },
    want: { d1: bucket, d2a: noBucket, d2b: bucket, d3: bucket },
  },
  "a snapshot stays if any bucket keeps it": {
    world: [
      retained("m1", "60d"),
      retained("m2", "25d"),
      retained("h1", "3h"),
      retained("h2", "1h"),
      claimed(),
    ],
    policy: { snapshotsToRetain: 9, keep: { hourly: 2, monthly: 3 } },
    want: { m1: bucket, m2: bucket, h1: bucket, h2: bucket },
  },
  "minAge holds what no bucket does": {
    world: [retained("h1", "3h"), retained("h2", "2h"), retained("h3", "1h"), claimed()],
    policy: { keep: { daily: 1 }, minAge: "150m" },
    want: { h1: noBucket, h2: young, h3: young },
  },
  "the number wins over buckets": {
    world: [...three, claimed()],
    policy: { snapshotsToRetain: 2, keep: { daily: 9 } },
    want: { s1: over, s2: bucket, s3: bucket },
  },
  "the number wins over minAge": {
    world: [...three, claimed()],
    policy: { snapshotsToRetain: 2, minAge: "9d" },
    want: { s1: over, s2: young, s3: young },
  },
  "the ceiling wins over buckets": {
    world: [...three, claimed()],
    policy: { ...ceiling, keep: { daily: 9 } },
    want: { s1: overCeiling, s2: bucket, s3: bucket },
  },
  "a snapshot that is not ready is in no bucket, and stays by the number alone": {
    world: [retained("h1", "2h"), retained("h2", "1h", notReady), claimed()],
    policy: { keep: { daily: 1 } },
    want: { h1: bucket, h2: within },
  },
  "buckets of none keep the newest good one": {
    world: [...three, claimed()],
    policy: { keep: {} },
    want: { s1: noBucket, s2: noBucket, s3: lastGood },
  },
  "maxAge wins over buckets": {
    world: [...three, claimed()],
    policy: { keep: { daily: 9 }, maxAge: "60h" },
    want: { s1: tooOld, s2: bucket, s3: bucket },
  },
});
