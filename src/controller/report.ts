import type { Logger } from "pino";
import type { EventRecorder, EventSubject } from "../kube/events.ts";
import type { Metadata } from "../kube/objects.ts";
import { messageOf } from "../log.ts";
import type { Action, Plan, PlanNotice } from "../retention/plan.ts";
import { backupKey } from "../retention/world.ts";
import type { World } from "../retention/world.ts";
import type { ActionFailed } from "./apply.ts";
import type { ControllerMetrics } from "./metrics.ts";

/** Tells of what was decided and done: metrics, log lines, Events. */
export interface Report {
  planned(world: World, plan: Plan): void;
  applied(action: Action): void;
  failed(failure: ActionFailed): void;
}

/** Whom to tell. */
export interface ReportOptions {
  readonly log: Logger;
  readonly events: EventRecorder;
  readonly metrics: ControllerMetrics;
}

/** A report of one term. */
export function createReport(options: ReportOptions): Report {
  const { log, metrics, events } = options;
  const told = new Set<string>();
  let subjects = new Map<string, EventSubject[]>();

  function tell(action: Action, type: "Normal" | "Warning", reason: string, message: string): void {
    const known = subjects.get(action.key) ?? [];
    const content = contentSubject(action);
    const all = known.length > 0 || content === undefined ? known : [content];
    for (const subject of all) events.record(subject, { type, reason, message });
  }
  return {
    planned(world, plan) {
      subjects = subjectsOf(world, plan);
      countPlan(plan, metrics);
      countStorage(world, plan, metrics);
      tellNotices(plan.notices, told, options);
    },
    applied(action) {
      metrics.actions.inc({ action: action.kind });
      const mended = mendedKind(action);
      if (mended !== undefined) metrics.mended.inc({ kind: mended });
      log.info({ action: action.kind, content: action.key, reason: action.message }, "action done");
      const reason = EVENT_REASONS[action.kind];
      if (reason !== undefined) tell(action, "Normal", reason, `${action.key}: ${action.message}`);
    },
    failed({ action, cause }) {
      const error = messageOf(cause);
      metrics.actionFailures.inc({ action: action.kind });
      log.warn({ action: action.kind, content: action.key, error }, "action failed, will be retried");
      if (action.kind === "free") {
        tell(action, "Warning", "SnapshotNotFreed", `${action.key}: ${action.message}; failed: ${error}`);
      }
    },
  };
}

/** The kind of the object that an action gave what the webhook did not. */
function mendedKind(action: Action): string | undefined {
  if (action.kind === "mend") return action.objectKind;
  return action.kind === "label" ? CONTENT.kind : undefined;
}

/** The Events of what was done; the other actions are steps on the way that nobody needs to hear of. */
const EVENT_REASONS: Partial<Readonly<Record<Action["kind"], string>>> = {
  mark: "SnapshotRetained",
  free: "SnapshotFreed",
  recreate: "SnapshotContentRecreated",
};

/** The Backup that each content belongs to, its DataUpload, and the claim that its snapshot is of, as far as they exist: what people look at. */
function subjectsOf(world: World, plan: Plan): Map<string, EventSubject[]> {
  const backups = byKey(world.backups, "velero.io/v1", "Backup");
  const uploads = byKey(world.dataUploads, "velero.io/v2alpha1", "DataUpload");
  const claims = byKey(world.claims, "v1", "PersistentVolumeClaim");
  return new Map(
    plan.snapshots.map(({ name, backup, volume: { namespace = "", name: claim } }) => [
      name,
      [
        backup && backups.get(backupKey(backup)),
        // Velero's own mover calls its clone like the DataUpload.
        backup && uploads.get(backupKey({ namespace: backup.namespace, name })),
        claims.get(backupKey({ namespace, name: claim })),
      ].filter((subject) => subject !== undefined),
    ]),
  );
}

function byKey(
  objects: readonly { readonly metadata: Metadata }[],
  apiVersion: string,
  kind: string,
): ReadonlyMap<string, EventSubject> {
  return new Map(
    objects.map(({ metadata: { namespace = "", name = "", uid } }) => [
      backupKey({ namespace, name }),
      { apiVersion, kind, namespace, name, uid },
    ]),
  );
}

function contentSubject(action: Action): EventSubject | undefined {
  if (!("content" in action)) return undefined;
  const { name, uid } = action.content;
  return { ...CONTENT, namespace: "", name, uid };
}

const CONTENT = { apiVersion: "snapshot.storage.k8s.io/v1", kind: "VolumeSnapshotContent" } as const;

function countPlan({ snapshots, volumes }: Plan, metrics: ControllerMetrics): void {
  metrics.retained.reset();
  for (const { stage, driver } of snapshots) {
    if (stage === "retained") metrics.retained.inc({ driver: driver ?? "unknown" });
  }
  metrics.budgetWaiting.set(snapshots.filter(({ held }) => held === "waiting_for_budget").length);
  metrics.pinnedFull.set(
    volumes.filter(
      ({ pinned, number, ceiling }) => pinned > 0 && pinned >= Math.min(number, ceiling ?? number),
    ).length,
  );
}

function countStorage({ contents }: World, plan: Plan, metrics: ControllerMetrics): void {
  const { snapshots, volumes, notices } = plan;
  metrics.pinned.set(snapshots.filter(({ pinned }) => pinned).length);
  metrics.volumes.set(volumes.length);
  metrics.volumesAtLimit.set(
    volumes.filter(
      ({ taken, going, number, ceiling }) => taken - going >= Math.min(number, ceiling ?? number),
    ).length,
  );
  countOldest(snapshots, metrics);
  metrics.refused.reset();
  for (const { spec, status } of contents) {
    const isRefused = status?.readyToUse !== true && (status?.error?.message ?? "") !== "";
    if (isRefused) metrics.refused.inc({ driver: spec.driver });
  }
  metrics.notices.reset();
  for (const { reason } of notices) metrics.notices.inc({ reason });
}

/** Whoever leads no more says nothing of the storage: two replicas would else be counted together. */
export function forgetPlan(metrics: ControllerMetrics): void {
  for (const gauge of [metrics.retained, metrics.oldest, metrics.refused, metrics.notices]) gauge.reset();
  const { pinned, volumes, volumesAtLimit, budgetWaiting, pinnedFull } = metrics;
  for (const gauge of [pinned, volumes, volumesAtLimit, budgetWaiting, pinnedFull]) gauge.set(0);
}

function countOldest(snapshots: Plan["snapshots"], metrics: ControllerMetrics): void {
  metrics.oldest.reset();
  const oldest = new Map<string, number>();
  for (const { stage, driver = "unknown", takenAt } of snapshots) {
    if (stage === "retained" && takenAt !== undefined) {
      oldest.set(driver, Math.min(oldest.get(driver) ?? Infinity, takenAt / 1000));
    }
  }
  for (const [driver, seconds] of oldest) metrics.oldest.set({ driver }, seconds);
}

/** Each matter once, until it is over. */
function tellNotices(
  notices: readonly PlanNotice[],
  told: Set<string>,
  { log, events }: ReportOptions,
): void {
  const current = new Set(notices.map(({ key }) => key));
  for (const key of told) {
    if (!current.has(key)) told.delete(key);
  }
  for (const { key, type, reason, message, object } of notices) {
    if (!told.has(key)) {
      told.add(key);
      log.info({ notice: reason, kind: object.kind, name: object.name, reason: message }, "notice");
      events.record({ ...object, namespace: object.namespace ?? "" }, { type, reason, message });
    }
  }
}
