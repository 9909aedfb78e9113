import { testPlans } from "../builders/plan-cases.ts";
import { claimed, retained, taken, taking } from "../builders/world.ts";

const running = { upload: "InProgress", backup: "InProgress" };

/** The original's VolumeSnapshot, whose content is no longer known. */
const withoutContent = { ...taking("s4", "1m"), contents: [] };
const older = [retained("s1", "3d"), retained("s2", "2d"), retained("s3", "1d")];

testPlans("what several watches tell of one snapshot counts once", {
  "an original that outlives its content for a moment, beside its clone": {
    world: [
      ...older.slice(1),
      withoutContent,
      taken({
        name: "s4",
        age: "1m",
        ...running,
        dataUpload: { spec: { csiSnapshot: { volumeSnapshot: "velero-s4", driver: "rbd.csi.ceph.com" } } },
      }),
      claimed(),
    ],
    policy: { snapshotsToRetain: 3 },
    want: { s2: "kept within_number", s3: "kept within_number", s4: "kept uploading" },
  },
  "an original without a content, whose clone is not made yet": {
    world: [...older, withoutContent, claimed()],
    policy: { snapshotsToRetain: 3 },
    want: {
      s1: "going over_number",
      s2: "kept within_number",
      s3: "kept within_number",
      "velero-s4": "kept being_taken",
    },
  },
});
