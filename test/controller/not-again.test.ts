import assert from "node:assert/strict";
import { test } from "node:test";
import { notAgain } from "../../src/controller/not-again.ts";
import type { DataUpload, VolumeSnapshotContent } from "../../src/retention/objects.ts";
import type { Action } from "../../src/retention/plan.ts";

const RECREATE: Action = {
  kind: "recreate",
  key: "b1-x",
  message: "",
  name: "b1-x",
  driver: "array",
  handle: "snap-1",
  snapshotClass: undefined,
  sourceVolumeMode: undefined,
  labels: {},
  annotations: {},
  document: { version: 1, kind: "", alias: "", volumeName: "", volume: { name: "" }, labels: {} },
  snapshotRef: { namespace: "velero", name: "b1-x" },
};
const UPLOAD: DataUpload = {
  metadata: { namespace: "velero", name: "b1-x", uid: "u", resourceVersion: "4" },
  spec: { sourcePVC: "data", sourceNamespace: "shop" },
};

function aContent(labels: Record<string, string>): VolumeSnapshotContent {
  const spec = { driver: "array", deletionPolicy: "Delete", source: {}, volumeSnapshotRef: {} };
  return { metadata: { name: "b1-x", labels }, spec };
}

const OURS = { "snapshot-retainer.io/released": "over_number" };
const dataUpload = { namespace: "velero", name: "b1-x", uid: "u", resourceVersion: "4" };
const cases: Record<
  string,
  { gone: VolumeSnapshotContent | undefined; uploads: DataUpload[]; want: object[] }
> = {
  "a content that only lost its object is made again": {
    gone: undefined,
    uploads: [UPLOAD],
    want: [{ kind: "recreate" }],
  },
  "one that we freed is not": { gone: aContent(OURS), uploads: [UPLOAD], want: [] },
  "one that somebody else freed is not, and its DataUpload is told": {
    gone: aContent({}),
    uploads: [UPLOAD],
    want: [{ kind: "release", key: "b1-x", dataUpload, reason: "being_deleted" }],
  },
  "one that somebody else freed whose DataUpload is gone as well": {
    gone: aContent({}),
    uploads: [],
    want: [],
  },
};
for (const [name, { gone, uploads, want }] of Object.entries(cases)) {
  test(name, () => {
    const actions = notAgain([RECREATE], { dataUploads: uploads }, () => gone);
    assert.equal(actions.length, want.length);
    assert.partialDeepStrictEqual(actions, want);
  });
}

test("all other actions pass", () => {
  const mark: Action = {
    kind: "mark",
    key: "b1-x",
    message: "",
    content: { name: "b1-x", uid: "c", resourceVersion: "1" },
    labels: {},
  };
  assert.deepEqual(
    notAgain([mark], { dataUploads: [] }, () => aContent({})),
    [mark],
  );
});
