import { Counter, Gauge, Histogram } from "prom-client";
import type { Registry } from "prom-client";

/** The metrics of the controller; docs/metrics.md lists them. Labels are bounded: never a name or a namespace. */
export interface ControllerMetrics {
  readonly leader: Gauge;
  readonly retained: Gauge<"driver">;
  readonly frees: Counter<"reason">;
  readonly actions: Counter<"action">;
  readonly mended: Counter<"kind">;
  readonly actionFailures: Counter<"action">;
  readonly roomRequests: Counter<"answer">;
  readonly roomSeconds: Histogram;
  readonly planSeconds: Histogram;
  readonly lastPlan: Gauge;
  /** From now on the queue's metrics tell of this one. */
  observeQueue(count: QueueCount): void;
  readonly budgetWaiting: Gauge;
  readonly pinnedFull: Gauge;
  readonly pinned: Gauge;
  readonly oldest: Gauge<"driver">;
  readonly volumes: Gauge;
  readonly volumesAtLimit: Gauge;
  readonly refused: Gauge<"driver">;
  readonly notices: Gauge<"reason">;
  readonly restores: Counter<"source" | "result">;
  readonly restoreSeconds: Histogram<"source">;
  readonly canaryProbes: Counter<"result">;
  readonly canarySuccess: Gauge;
}

type QueueCount = () => { readonly depth: number; readonly retrying: number };

/** Adds the controller's metrics to a registry. */
export function createControllerMetrics(registry: Registry): ControllerMetrics {
  const registers = [registry];
  return {
    ...workMetrics(registers),
    ...roomMetrics(registers),
    ...planMetrics(registers),
    ...storageMetrics(registers),
    ...restoreMetrics(registers),
    ...canaryMetrics(registers),
    observeQueue: queueMetrics(registers),
  };
}

function queueMetrics(registers: Registers): (count: QueueCount) => void {
  let current: QueueCount | undefined;
  createGauge({
    name: "snapshot_retainer_queue_depth",
    help: "Objects that the newest plan wants changed, waiting, or being worked on.",
    registers,
    read: () => current?.().depth ?? 0,
  });
  createGauge({
    name: "snapshot_retainer_queue_retrying",
    help: "Of these, objects whose last attempt failed.",
    registers,
    read: () => current?.().retrying ?? 0,
  });
  return (count) => {
    current = count;
  };
}

function createGauge(given: {
  readonly name: string;
  readonly help: string;
  readonly registers: Registers;
  readonly read: () => number;
}): void {
  const { name, help, registers, read } = given;
  const gauge = new Gauge({
    name,
    help,
    registers: [],
    collect() {
      this.set(read());
    },
  });
  for (const registry of registers) registry.registerMetric(gauge);
}

type Registers = Registry[];

function workMetrics(
  registers: Registers,
): Pick<ControllerMetrics, "frees" | "actions" | "mended" | "actionFailures"> {
  return {
    frees: new Counter({
      name: "snapshot_retainer_frees_total",
      help: "Snapshots whose freeing was begun, by reason code.",
      labelNames: ["reason"],
      registers,
    }),
    actions: new Counter({
      name: "snapshot_retainer_actions_total",
      help: "Actions of the plan that were done, by kind (protect, label, mend, record, mark, letGo, release, free, recreate).",
      labelNames: ["action"],
      registers,
    }),
    mended: new Counter({
      name: "snapshot_retainer_mended_total",
      help: "Objects that lacked what the webhook writes at their creation and were given it, by kind (Backup, DataUpload, VolumeSnapshot, VolumeSnapshotContent).",
      labelNames: ["kind"],
      registers,
    }),
    actionFailures: new Counter({
      name: "snapshot_retainer_action_failures_total",
      help: "Attempts at actions that failed, by kind; each is made again, ever slower.",
      labelNames: ["action"],
      registers,
    }),
  };
}

function roomMetrics(registers: Registers): Pick<ControllerMetrics, "roomRequests" | "roomSeconds"> {
  return {
    roomRequests: new Counter({
      name: "snapshot_retainer_room_requests_total",
      help: "Requests of the webhook for room, by answer (granted, none, lapsed).",
      labelNames: ["answer"],
      registers,
    }),
    roomSeconds: new Histogram({
      name: "snapshot_retainer_room_seconds",
      help: "From seeing a request for room to its answer.",
      buckets: [0.05, 0.1, 0.25, 0.5, 1, 2, 3, 5, 10, 30, 60],
      registers,
    }),
  };
}

function planMetrics(
  registers: Registers,
): Pick<
  ControllerMetrics,
  "leader" | "retained" | "planSeconds" | "lastPlan" | "budgetWaiting" | "pinnedFull"
> {
  return {
    leader: new Gauge({
      name: "snapshot_retainer_leader",
      help: "1 while this replica leads, 0 while it stands by.",
      registers,
    }),
    retained: new Gauge({
      name: "snapshot_retainer_retained_snapshots",
      help: "Retained snapshots, by CSI driver; of the leader alone.",
      labelNames: ["driver"],
      registers,
    }),
    planSeconds: new Histogram({
      name: "snapshot_retainer_plan_duration_seconds",
      help: "Time to decide about the whole cluster.",
      buckets: [0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1],
      registers,
    }),
    lastPlan: new Gauge({
      name: "snapshot_retainer_last_plan_timestamp_seconds",
      help: "When the leader last decided about the whole cluster, in seconds since 1970; 0 where it never did.",
      registers,
    }),
    budgetWaiting: new Gauge({
      name: "snapshot_retainer_budget_waiting",
      help: "Snapshots that should go and wait for the policy's deletionsPerMinute.",
      registers,
    }),
    pinnedFull: new Gauge({
      name: "snapshot_retainer_pinned_full",
      help: "Volumes whose pinned snapshots are as many as the number or the ceiling allows.",
      registers,
    }),
  };
}

type OfStorage = "pinned" | "oldest" | "volumes" | "volumesAtLimit" | "refused" | "notices";

function storageMetrics(registers: Registers): Pick<ControllerMetrics, OfStorage> {
  return {
    pinned: new Gauge({
      name: "snapshot_retainer_pinned_snapshots",
      help: "Snapshots that are pinned; of the leader alone.",
      registers,
    }),
    oldest: new Gauge({
      name: "snapshot_retainer_oldest_retained_timestamp_seconds",
      help: "When the oldest retained snapshot was taken, in seconds since 1970, by CSI driver; of the leader alone.",
      labelNames: ["driver"],
      registers,
    }),
    volumes: new Gauge({
      name: "snapshot_retainer_volumes",
      help: "Volumes that have a snapshot of ours; of the leader alone.",
      registers,
    }),
    volumesAtLimit: new Gauge({
      name: "snapshot_retainer_volumes_at_limit",
      help: "Of these, volumes with as many snapshots as their number or ceiling allows: the next one takes the oldest's place.",
      registers,
    }),
    refused: new Gauge({
      name: "snapshot_retainer_refused_snapshots",
      help: "VolumeSnapshotContents that are not ready and have an error of the CSI driver, by driver; of the leader alone.",
      labelNames: ["driver"],
      registers,
    }),
    notices: new Gauge({
      name: "snapshot_retainer_notices",
      help: "Matters that somebody should hear of, as they stand, by the reason of their Event (LeakSuspected, FreeStuck, NotBelieved, NeverReady, PinnedFull, NumberUnknown).",
      labelNames: ["reason"],
      registers,
    }),
  };
}

function restoreMetrics(registers: Registers): Pick<ControllerMetrics, "restores" | "restoreSeconds"> {
  return {
    restores: new Counter({
      name: "snapshot_retainer_restores_total",
      help: "Volumes whose restore ended, by source (retained_snapshot, data_movement) and result (completed, failed, canceled).",
      labelNames: ["source", "result"],
      registers,
    }),
    restoreSeconds: new Histogram({
      name: "snapshot_retainer_restore_duration_seconds",
      help: "From the creation of a DataDownload to its completion, by source (retained_snapshot, data_movement).",
      labelNames: ["source"],
      buckets: [1, 2, 5, 10, 30, 60, 300, 1_800, 7_200, 28_800],
      registers,
    }),
  };
}

function canaryMetrics(registers: Registers): Pick<ControllerMetrics, "canaryProbes" | "canarySuccess"> {
  return {
    canaryProbes: new Counter({
      name: "snapshot_retainer_canary_probes_total",
      help: "Backups sent through the API server by dry run, by result (mutated, unmutated, failed); of the leader alone.",
      labelNames: ["result"],
      registers,
    }),
    canarySuccess: new Gauge({
      name: "snapshot_retainer_canary_success_timestamp_seconds",
      help: "When such a Backup last came back with the webhook's mutation, in seconds since 1970; 0 where none did here.",
      registers,
    }),
  };
}
