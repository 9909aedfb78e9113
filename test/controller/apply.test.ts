import assert from "node:assert/strict";
import { test } from "node:test";
import * as z from "zod";
import { parseInherited } from "../../src/admission/inherited.ts";
import { createSigner } from "../../src/admission/signer.ts";
import { ActionFailed, applyActions } from "../../src/controller/apply.ts";
import { createRecorder } from "../../src/controller/apply-record.ts";
import type { Writes } from "../../src/controller/writes.ts";
import { ApiError } from "../../src/kube/rest.ts";
import type { Outcome } from "../../src/kube/work-queue-state.ts";
import type { Action, Free } from "../../src/retention/plan.ts";

const NOW = 1_000_000;
const signer = createSigner(Buffer.alloc(32, 7));

const FINALIZER = "snapshot.storage.kubernetes.io/volumesnapshotcontent-bound-protection";

/** One line a write, and what the API server answers. */
function aJournal(answers: Record<string, unknown> = {}): { lines: string[]; writes: Writes } {
  const lines: string[] = [];
  let version = 100;
  function note(line: string): unknown {
    lines.push(line);
    const answer = Object.entries(answers).find(([start]) => line.startsWith(start))?.[1];
    if (answer instanceof Error) throw answer;
    return (
      answer ?? { metadata: { uid: "c-uid", resourceVersion: String(version++), finalizers: [FINALIZER] } }
    );
  }
  return {
    lines,
    writes: {
      patch: async (path, { uid, resourceVersion }, change) =>
        note(`PATCH ${path} ${uid}@${resourceVersion} ${JSON.stringify(change)}`),
      create: async (path, body) => note(`POST ${path} ${JSON.stringify(body)}`),
      remove: async (path, { uid, resourceVersion }) => void note(`DELETE ${path} ${uid}@${resourceVersion}`),
    },
  };
}

const CONTENT = { name: "b1-x", uid: "c-uid", resourceVersion: "7" };
const CONTENTS = "/apis/snapshot.storage.k8s.io/v1/volumesnapshotcontents";
const UPLOAD = { namespace: "velero", name: "b1-x", uid: "u-uid", resourceVersion: "3" };
const UPLOAD_PATH = "/apis/velero.io/v2alpha1/namespaces/velero/datauploads/b1-x";

function aFree(overrides: Partial<Free> = {}): Free {
  return {
    kind: "free",
    key: "b1-x",
    message: "over the number",
    reason: "over_number",
    content: CONTENT,
    handle: "snap-1",
    driver: "array",
    started: false,
    makesRoom: false,
    deleting: false,
    deletionPolicy: "Retain",
    labels: { "snapshot-retainer.io/released": "over_number" },
    bound: true,
    markedBeingDeleted: true,
    handleInStatus: true,
    snapshot: undefined,
    release: undefined,
    ...overrides,
  };
}

interface Applied {
  readonly outcome: Outcome;
  readonly lines: readonly string[];
}

/** Applies with a journal in the place of the API server; confirmations of leading are lines of it as well. */
async function apply(actions: readonly Action[], answers: Record<string, unknown> = {}): Promise<Applied> {
  const { lines, writes } = aJournal(answers);
  const outcome = await applyActions(
    actions,
    {
      writes,
      signer,
      recorder: createRecorder(),
      now: () => NOW,
      onBegun: () => void lines.push("begun"),
      async confirm() {
        lines.push("confirm");
        if (answers["confirm"] instanceof Error) throw answers["confirm"];
      },
    },
    () => undefined,
  );
  return { outcome, lines };
}

const LABELS = '"labels":{"snapshot-retainer.io/released":"over_number"}';
const MARK = '"annotations":{"snapshot.storage.kubernetes.io/volumesnapshot-being-deleted":"yes"}';
const TO_DELETE = `{"metadata":{${LABELS}},"spec":{"deletionPolicy":"Delete"}}`;
const TO_DELETE_MARKED = `{"metadata":{${LABELS},${MARK}},"spec":{"deletionPolicy":"Delete"}}`;
const SNAPSHOT = { namespace: "velero", name: "b1-x", uid: "s-uid", resourceVersion: "5" };
const SNAPSHOT_PATH = "/apis/snapshot.storage.k8s.io/v1/namespaces/velero/volumesnapshots/b1-x";

const frees: Record<string, { action: Free; lines: string[]; outcome: Outcome["kind"] }> = {
  "one whose VolumeSnapshot is gone": {
    action: aFree(),
    lines: [
      "confirm",
      `PATCH ${CONTENTS}/b1-x c-uid@7 ${TO_DELETE}`,
      "begun",
      "confirm",
      `DELETE ${CONTENTS}/b1-x c-uid@100`,
    ],
    outcome: "done",
  },
  "one whose DataUpload is still there, which is told first": {
    action: aFree({ release: UPLOAD }),
    lines: [
      "confirm",
      `PATCH ${UPLOAD_PATH} u-uid@undefined {"metadata":{"annotations":{"snapshot-retainer.io/released":"over_number"}}}`,
      "confirm",
      `PATCH ${CONTENTS}/b1-x c-uid@7 ${TO_DELETE}`,
      "begun",
      "confirm",
      `DELETE ${CONTENTS}/b1-x c-uid@101`,
    ],
    outcome: "done",
  },
  "one that was bound and lost its mark, in one patch with the policy": {
    action: aFree({ markedBeingDeleted: false }),
    lines: [
      "confirm",
      `PATCH ${CONTENTS}/b1-x c-uid@7 ${TO_DELETE_MARKED}`,
      "begun",
      "confirm",
      `DELETE ${CONTENTS}/b1-x c-uid@100`,
    ],
    outcome: "done",
  },
  "one that was never bound, which needs no mark": {
    action: aFree({ bound: false, markedBeingDeleted: false }),
    lines: [
      "confirm",
      `PATCH ${CONTENTS}/b1-x c-uid@7 ${TO_DELETE}`,
      "begun",
      "confirm",
      `DELETE ${CONTENTS}/b1-x c-uid@100`,
    ],
    outcome: "done",
  },
  "one that somebody began to free before": {
    action: aFree({ deletionPolicy: "Delete", started: true }),
    lines: [
      "confirm",
      `PATCH ${CONTENTS}/b1-x c-uid@7 ${TO_DELETE}`,
      "confirm",
      `DELETE ${CONTENTS}/b1-x c-uid@100`,
    ],
    outcome: "done",
  },
  "one whose handle is not known yet: not touched, else the snapshot would stay": {
    action: aFree({ handleInStatus: false, release: UPLOAD }),
    lines: [],
    outcome: "again",
  },
  "one that is being deleted: only waiting is left": {
    action: aFree({ deletionPolicy: "Delete", deleting: true, started: true }),
    lines: [],
    outcome: "again",
  },
  "one that is being deleted and lost its mark, without which the sidecar waits for ever": {
    action: aFree({ deletionPolicy: "Delete", deleting: true, started: true, markedBeingDeleted: false }),
    lines: ["confirm", `PATCH ${CONTENTS}/b1-x c-uid@7 ${TO_DELETE_MARKED}`],
    outcome: "again",
  },
  "one whose VolumeSnapshot Velero may still delete": {
    action: aFree({ snapshot: { ...SNAPSHOT, deleteAt: NOW + 30_000 }, markedBeingDeleted: false }),
    lines: ["confirm", `PATCH ${CONTENTS}/b1-x c-uid@7 ${TO_DELETE}`, "begun"],
    outcome: "again",
  },
  "one whose VolumeSnapshot Velero left": {
    action: aFree({ snapshot: { ...SNAPSHOT, deleteAt: NOW }, markedBeingDeleted: false }),
    lines: [
      "confirm",
      `PATCH ${CONTENTS}/b1-x c-uid@7 ${TO_DELETE}`,
      "begun",
      "confirm",
      `DELETE ${SNAPSHOT_PATH} s-uid@undefined`,
    ],
    outcome: "again",
  },
};

for (const [name, { action, lines, outcome }] of Object.entries(frees)) {
  test(`freeing ${name}`, async () => {
    const applied = await apply([action]);
    assert.deepEqual(applied.lines, lines);
    assert.equal(applied.outcome.kind, outcome);
  });
}

test("one without the finalizer that the sidecar needs gets it before it is deleted", async () => {
  const { lines } = await apply([aFree()], {
    PATCH: { metadata: { uid: "c-uid", resourceVersion: "50", finalizers: ["somebody/elses"] } },
  });
  assert.deepEqual(lines.slice(3), [
    `PATCH ${CONTENTS}/b1-x c-uid@50 {"metadata":{"finalizers":["somebody/elses","${FINALIZER}"]}}`,
    "confirm",
    `DELETE ${CONTENTS}/b1-x c-uid@50`,
  ]);
});

test("nothing is deleted by who does not lead any more", async () => {
  const lost = new Error("the Lease is not ours any more");
  const { lines, writes } = aJournal();
  async function confirm(): Promise<void> {
    throw lost;
  }
  const options = {
    writes,
    signer,
    recorder: createRecorder(),
    now: () => NOW,
    confirm,
    onBegun: () => undefined,
  };
  await assert.rejects(
    applyActions([aFree()], options, () => undefined),
    (error) => error instanceof ActionFailed && error.cause === lost && error.action.kind === "free",
  );
  assert.deepEqual(lines, []);
});

test("a DataUpload that is gone holds up nothing: it is left to the next look", async () => {
  const { lines, outcome } = await apply([aFree({ release: UPLOAD })], {
    "PATCH /apis/velero.io": new ApiError(404, "gone"),
  });
  assert.deepEqual(outcome, { kind: "done" });
  assert.equal(lines.length, 2);
});

for (const status of [404, 409]) {
  test(`what somebody else changed meanwhile (${status}) is left to the next plan`, async () => {
    const { lines, outcome } = await apply([aFree()], { PATCH: new ApiError(status, "no") });
    assert.deepEqual(outcome, { kind: "done" });
    assert.equal(lines.length, 2);
  });
}

test("whatever else the API server says is a failure of that action", async () => {
  const forbidden = new ApiError(403, "no");
  await assert.rejects(
    apply([aFree()], { DELETE: forbidden }),
    (error) => error instanceof ActionFailed && error.cause === forbidden,
  );
});

test("later actions of one object know the version that the earlier ones made", async () => {
  const labels = { "snapshot-retainer.io/retained": "true" };
  const decided = { key: "b1-x", message: "", content: CONTENT };
  const { lines } = await apply([
    { ...decided, kind: "protect" },
    { ...decided, kind: "mark", labels },
  ]);
  assert.deepEqual(lines, [
    `PATCH ${CONTENTS}/b1-x c-uid@7 {"spec":{"deletionPolicy":"Retain"}}`,
    `PATCH ${CONTENTS}/b1-x c-uid@100 {"metadata":{"labels":{"snapshot-retainer.io/retained":"true"}}}`,
  ]);
});

const DOCUMENT = {
  version: 1 as const,
  kind: "VolumeSnapshotContent",
  alias: "alias",
  volumeName: "shop.data",
  volume: { namespace: "shop", name: "data" },
  labels: {},
};

const Created = z.looseObject({ metadata: z.looseObject({ annotations: z.record(z.string(), z.string()) }) });

test("a content that is made again has policy, handle, reference without a uid, and a signed document", async () => {
  const { lines } = await apply([
    {
      kind: "recreate",
      key: "b1-x",
      message: "",
      name: "b1-x",
      driver: "array",
      handle: "snap-1",
      snapshotClass: "gold",
      sourceVolumeMode: undefined,
      labels: { "snapshot-retainer.io/retained": "true" },
      annotations: { "snapshot.storage.kubernetes.io/deletion-secret-name": "secret" },
      document: DOCUMENT,
      snapshotRef: { namespace: "velero", name: "b1-x" },
    },
  ]);
  const [, path, text = ""] = /^POST (\S+) (.*)$/.exec(lines[1] ?? "") ?? [];
  assert.equal(lines[0], "confirm");
  assert.equal(path, CONTENTS);
  const { metadata, ...rest } = Created.parse(JSON.parse(text));
  assert.deepEqual(metadata["finalizers"], [FINALIZER], "else it goes before the sidecar frees its snapshot");
  const { "snapshot-retainer.io/inherited": inherited = "", ...annotations } = metadata.annotations;
  assert.deepEqual(parseInherited(inherited, signer), DOCUMENT);
  assert.deepEqual(annotations, { "snapshot.storage.kubernetes.io/deletion-secret-name": "secret" });
  assert.deepEqual(rest, {
    apiVersion: "snapshot.storage.k8s.io/v1",
    kind: "VolumeSnapshotContent",
    spec: {
      deletionPolicy: "Retain",
      driver: "array",
      source: { snapshotHandle: "snap-1" },
      volumeSnapshotClassName: "gold",
      volumeSnapshotRef: {
        namespace: "velero",
        name: "b1-x",
        apiVersion: "snapshot.storage.k8s.io/v1",
        kind: "VolumeSnapshot",
      },
    },
  });
});

test("one that is there already is not made again", async () => {
  const outcome = await apply(
    [
      {
        kind: "label",
        key: "b1-x",
        message: "",
        content: CONTENT,
        labels: {},
        document: DOCUMENT,
      },
    ],
    { PATCH: new ApiError(409, "already exists") },
  );
  assert.deepEqual(outcome.outcome, { kind: "done" });
});

const RECORD: Action = {
  kind: "record",
  key: "b1-x",
  message: "",
  dataUpload: UPLOAD,
  retainedSnapshot: "b1-x",
  result: { snapshotHandle: "snap-1" },
};
const IN_STATUS = '"status":{"retainedSnapshot":"b1-x","dataMoverResult":{"snapshotHandle":"snap-1"}}';
const IN_ANNOTATION = '"metadata":{"annotations":{"snapshot-retainer.io/retained-snapshot":"b1-x"}}';
const RECORD_PATH = `${UPLOAD_PATH}?fieldValidation=Ignore`;
const SERVED = { metadata: {}, status: { retainedSnapshot: "b1-x" } };
const NOT_SERVED = { metadata: {}, status: { dataMoverResult: {} } };

test("a record goes into the annotation while the field is not served, and into the field alone once it is", async () => {
  const recorder = createRecorder();
  const lines: string[] = [];
  for (const answer of [NOT_SERVED, SERVED, SERVED, NOT_SERVED, NOT_SERVED]) {
    const journal = aJournal({ PATCH: answer });
    await recorder.record(RECORD, journal.writes);
    lines.push(...journal.lines, "");
  }
  const both = `PATCH ${RECORD_PATH} u-uid@undefined {${IN_ANNOTATION},${IN_STATUS}}`;
  const field = `PATCH ${RECORD_PATH} u-uid@undefined {${IN_STATUS}}`;
  const annotation = `PATCH ${RECORD_PATH} u-uid@undefined {${IN_ANNOTATION}}`;
  assert.deepEqual(lines, [both, "", both, "", field, "", field, annotation, "", both, ""]);
});
