import assert from "node:assert/strict";
import { test } from "node:test";
import { pino } from "pino";
import { Registry } from "prom-client";
import { ActionFailed } from "../../src/controller/apply.ts";
import { createControllerMetrics } from "../../src/controller/metrics.ts";
import { createReport } from "../../src/controller/report.ts";
import type { Report } from "../../src/controller/report.ts";
import type { Action, Plan, PlanNotice, Verdict, VolumePlan } from "../../src/retention/plan.ts";
import type { World } from "../../src/retention/world.ts";

const PLAN: Plan = {
  volumes: [],
  snapshots: [],
  actions: [],
  room: [],
  recheckAt: undefined,
  notices: [],
  missingBackups: [],
};
const WORLD: World = {
  contents: [],
  snapshots: [],
  dataUploads: [],
  backups: [{ metadata: { namespace: "velero", name: "b1", uid: "b-uid" } }],
  deleteBackupRequests: [],
  storageLocations: [],
  dataDownloads: [],
  claims: [],
  volumes: [],
  documents: () => undefined,
  reservations: [],
  deletions: new Map(),
  missingSince: new Map(),
  freedAt: [],
  vanished: [],
};

function aVerdict(overrides: Partial<Verdict>): Verdict {
  return {
    name: "b1-x",
    volumeName: "shop.data",
    volumeKey: "shop/data",
    volume: { namespace: "shop", name: "data" },
    backup: { namespace: "velero", name: "b1" },
    driver: "array",
    handle: "snap-1",
    takenAt: 0,
    stage: "retained",
    ready: true,
    pinned: false,
    evidence: "document",
    kept: true,
    reason: "within_number",
    message: "",
    ...overrides,
  };
}

const MARK: Action = {
  kind: "mark",
  key: "b1-x",
  message: "its data was copied",
  content: { name: "b1-x", uid: "c-uid", resourceVersion: "1" },
  labels: {},
};

/** A report whose Events are lines, with a way to read a metric. */
function aReport(): { report: Report; events: string[]; metric: (name: string) => Promise<object[]> } {
  const registry = new Registry();
  const events: string[] = [];
  const report = createReport({
    log: pino({ level: "silent" }),
    metrics: createControllerMetrics(registry),
    events: {
      record({ kind, namespace, name, uid }, { type, reason, message }) {
        events.push(`${type} ${reason} on ${kind} ${namespace}/${name} ${uid}: ${message}`);
      },
    },
  });
  async function metric(name: string): Promise<object[]> {
    const found = await registry.getSingleMetric(`snapshot_retainer_${name}`)?.get();
    return (found?.values ?? []).map(({ labels, value }) => ({ ...labels, value }));
  }
  return { report, events, metric };
}

test("what was done is told on the Backup that it belongs to", () => {
  const { report, events } = aReport();
  report.planned(WORLD, { ...PLAN, snapshots: [aVerdict({})] });
  report.applied(MARK);
  assert.deepEqual(events, ["Normal SnapshotRetained on Backup velero/b1 b-uid: b1-x: its data was copied"]);
});

test("and on its DataUpload, and the claim that its snapshot is of", () => {
  const { report, events } = aReport();
  const claims = [{ metadata: { namespace: "shop", name: "data", uid: "p-uid" } }];
  const dataUploads = [
    {
      metadata: { namespace: "velero", name: "b1-x", uid: "u-uid" },
      spec: { sourceNamespace: "shop", sourcePVC: "data" },
    },
  ];
  report.planned({ ...WORLD, claims, dataUploads }, { ...PLAN, snapshots: [aVerdict({})] });
  report.applied(MARK);
  assert.deepEqual(events, [
    "Normal SnapshotRetained on Backup velero/b1 b-uid: b1-x: its data was copied",
    "Normal SnapshotRetained on DataUpload velero/b1-x u-uid: b1-x: its data was copied",
    "Normal SnapshotRetained on PersistentVolumeClaim shop/data p-uid: b1-x: its data was copied",
  ]);
});

test("without a Backup it is told on the content", () => {
  const { report, events } = aReport();
  report.planned({ ...WORLD, backups: [] }, { ...PLAN, snapshots: [aVerdict({})] });
  report.applied(MARK);
  assert.deepEqual(events, [
    "Normal SnapshotRetained on VolumeSnapshotContent /b1-x c-uid: b1-x: its data was copied",
  ]);
});

test("steps on the way are counted, and told to nobody", async () => {
  const { report, events, metric } = aReport();
  report.planned(WORLD, { ...PLAN, snapshots: [aVerdict({})] });
  report.applied({ ...MARK, kind: "protect", finalizers: undefined });
  assert.deepEqual(events, []);
  assert.deepEqual(await metric("actions_total"), [{ action: "protect", value: 1 }]);
});

test("a free that fails is told with its reason; of other failures the metric tells", async () => {
  const { report, events, metric } = aReport();
  const free: Action = {
    ...MARK,
    kind: "free",
    message: "over the number",
    reason: "over_number",
    handle: "snap-1",
    driver: "array",
    started: false,
    makesRoom: false,
    deleting: false,
    deletionPolicy: "Retain",
    bound: true,
    markedBeingDeleted: true,
    handleInStatus: true,
    original: undefined,
    finalizers: undefined,
    snapshot: undefined,
    release: undefined,
  };
  report.failed(new ActionFailed(MARK, new Error("403")));
  report.failed(new ActionFailed(free, new Error("403: forbidden")));
  assert.deepEqual(events, [
    "Warning SnapshotNotFreed on VolumeSnapshotContent /b1-x c-uid: b1-x: over the number; failed: 403: forbidden",
  ]);
  assert.deepEqual(await metric("action_failures_total"), [
    { action: "mark", value: 1 },
    { action: "free", value: 1 },
  ]);
});

test("a notice is told once while it lasts, and again when it comes back", () => {
  const { report, events } = aReport();
  const notice: PlanNotice = {
    key: "pins of shop.data",
    type: "Warning",
    reason: "PinnedFull",
    message: "2 of 2 are pinned",
    object: { apiVersion: "v1", kind: "PersistentVolumeClaim", namespace: "shop", name: "data", uid: "p" },
  };
  const line = "Warning PinnedFull on PersistentVolumeClaim shop/data p: 2 of 2 are pinned";
  for (const [notices, want] of [
    [[notice], 1],
    [[notice], 1],
    [[], 1],
    [[notice], 2],
  ] as const) {
    report.planned(WORLD, { ...PLAN, notices });
    assert.deepEqual(
      events,
      Array.from({ length: want }, () => line),
    );
  }
});

test("what is on the storage is counted: pins, the oldest by driver, volumes at their limit, refusals, and what is to be looked at", async () => {
  const { report, metric } = aReport();
  const volume: VolumePlan = {
    volumeName: "shop.data",
    volumeKey: "shop/data",
    volume: { namespace: "shop", name: "data" },
    number: 2,
    numberReason: "",
    ceiling: undefined,
    ceilingReason: undefined,
    taken: 2,
    retained: 2,
    pinned: 1,
    going: 0,
  };
  const snapshots = [
    aVerdict({ takenAt: 5_000, pinned: true }),
    aVerdict({ takenAt: 9_000 }),
    aVerdict({ driver: "file", takenAt: 7_000 }),
  ];
  const refused = {
    metadata: { name: "c" },
    spec: { driver: "array", source: {}, volumeSnapshotRef: {} },
    status: { readyToUse: false, error: { message: "limit reached" } },
  };
  const notice = { key: "k", type: "Warning", reason: "LeakSuspected", message: "" } as const;
  const object = { apiVersion: "v1", kind: "Backup", namespace: "velero", name: "b1", uid: undefined };
  report.planned(
    { ...WORLD, contents: [refused] },
    {
      ...PLAN,
      snapshots,
      volumes: [volume, { ...volume, volumeName: "shop.logs", volumeKey: "shop/logs", taken: 1 }],
      notices: [{ ...notice, object }],
    },
  );
  assert.deepEqual(await metric("pinned_snapshots"), [{ value: 1 }]);
  assert.deepEqual(await metric("oldest_retained_timestamp_seconds"), [
    { driver: "array", value: 5 },
    { driver: "file", value: 7 },
  ]);
  assert.deepEqual(await metric("volumes"), [{ value: 2 }]);
  assert.deepEqual(await metric("volumes_at_limit"), [{ value: 1 }]);
  assert.deepEqual(await metric("refused_snapshots"), [{ driver: "array", value: 1 }]);
  assert.deepEqual(await metric("notices"), [{ reason: "LeakSuspected", value: 1 }]);
});

test("a plan is counted by driver, by what waits for the budget, and by volumes full of pins", async () => {
  const { report, metric } = aReport();
  const volume: VolumePlan = {
    volumeName: "shop.data",
    volumeKey: "shop/data",
    volume: { namespace: "shop", name: "data" },
    number: 3,
    numberReason: "",
    ceiling: 2,
    ceilingReason: "",
    taken: 2,
    retained: 2,
    pinned: 2,
    going: 0,
  };
  const snapshots = [
    aVerdict({}),
    aVerdict({ driver: "file" }),
    aVerdict({ driver: undefined }),
    aVerdict({ stage: "copying" }),
    aVerdict({ kept: false, reason: "over_number", held: "waiting_for_budget" }),
  ];
  const volumes = [volume, { ...volume, pinned: 1 }, { ...volume, pinned: 0, number: 0 }];
  report.planned(WORLD, { ...PLAN, snapshots, volumes });
  assert.deepEqual(await metric("retained_snapshots"), [
    { driver: "array", value: 2 },
    { driver: "file", value: 1 },
    { driver: "unknown", value: 1 },
  ]);
  assert.deepEqual(await metric("budget_waiting"), [{ value: 1 }]);
  assert.deepEqual(await metric("pinned_full"), [{ value: 1 }]);
  report.planned(WORLD, PLAN);
  assert.deepEqual(await metric("retained_snapshots"), []);
});
