import type { Logger } from "pino";
import { hasOtherMover } from "../admission/retain.ts";
import { OUR_DATA_MOVER, RESTORE_DECISION_ANNOTATION } from "../kube/keys.ts";
import type { EventRecorder, EventText } from "../kube/events.ts";
import { valueOf } from "../kube/objects.ts";
import type { DataDownload } from "../kube/objects.ts";
import { formatDuration } from "../policy/duration.ts";
import { isOver } from "../restore/hand-back.ts";
import type { Step } from "../restore/step.ts";
import { timeOf } from "../retention/time.ts";
import type { Metrics } from "../metrics.ts";
import type { ControllerMetrics } from "./metrics.ts";

/** Tells of restores: log, metrics, and Events on the Restore, or on a DataDownload that is of none. */
export interface RestoreReport {
  /** A DataDownload changed, whoever carries it out; undefined for one that was not there, or is gone. */
  changed(now: DataDownload | undefined, before: DataDownload | undefined): void;
  /** A step of ours was done; `reason`: it came to hand the DataDownload back. */
  done(download: DataDownload, step: Step, reason: string | undefined): void;
  waiting(download: DataDownload, what: string): void;
}

/** Whom to tell. */
export interface RestoreReportOptions {
  readonly log: Logger;
  readonly events: EventRecorder;
  readonly metrics: Pick<ControllerMetrics, "restores" | "restoreSeconds"> &
    Pick<Metrics, "restoresHandedBack">;
}

/** A report of one term. */
export function createRestoreReport(options: RestoreReportOptions): RestoreReport {
  const { log, metrics } = options;
  const waits = new Map<string, string>();
  return {
    changed(now, before) {
      if (now === undefined) {
        waits.delete(before?.metadata.uid ?? "");
      } else if (before !== undefined && !isOver(before)) {
        if (isOver(now)) tellEnd(now, options);
        else if (isHandedBack(now, before)) tellHandBack(now, options);
      }
    },
    done({ metadata }, step, reason) {
      const { namespace, name } = metadata;
      log.info({ namespace, dataDownload: name, step: step.kind, reason }, "restore step done");
      if (reason !== undefined) metrics.restoresHandedBack.inc();
    },
    waiting({ metadata: { namespace, name, uid = "" } }, what) {
      if (waits.get(uid) === what) return;
      waits.set(uid, what);
      log.info({ namespace, dataDownload: name, reason: what }, "restore waits");
    },
  };
}

function isHandedBack(now: DataDownload, before: DataDownload): boolean {
  return before.spec.datamover === OUR_DATA_MOVER && now.spec.datamover !== OUR_DATA_MOVER;
}

function tellEnd(download: DataDownload, { metrics, ...options }: RestoreReportOptions): void {
  const source = download.spec.datamover === OUR_DATA_MOVER ? "retained_snapshot" : "data_movement";
  const phase = download.status?.phase ?? "";
  const took = durationOf(download);
  metrics.restores.inc({ source, result: phase.toLowerCase() });
  if (phase !== "Completed") {
    const message = `${phase}: ${decisionOf(download)}`;
    tell(download, { type: "Warning", reason: "VolumeNotRestored", message }, options);
    return;
  }
  if (took !== undefined) metrics.restoreSeconds.observe({ source }, took / 1000);
  const time = took === undefined ? "" : `, in ${formatDuration(took)}`;
  const message = `${decisionOf(download)}${time}`;
  tell(download, { type: "Normal", reason: "VolumeRestored", message }, options);
}

function durationOf({ metadata, status }: DataDownload): number | undefined {
  const begun = timeOf(metadata.creationTimestamp);
  const ended = timeOf(status?.completionTimestamp);
  return begun === undefined || ended === undefined ? undefined : ended - begun;
}

function tellHandBack(download: DataDownload, options: RestoreReportOptions): void {
  tell(download, { type: "Warning", reason: "RestoreHandedBack", message: decisionOf(download) }, options);
}

/** Where the volume is restored from, and why, as the webhook or whoever handed it back wrote it. */
function decisionOf(download: DataDownload): string {
  const { metadata, spec } = download;
  const byWhom = hasOtherMover(download) ? `by ${spec.datamover ?? ""}` : "by data movement";
  return valueOf(metadata.annotations, RESTORE_DECISION_ANNOTATION) ?? byWhom;
}

const OF_NO_RESTORE = { apiVersion: "velero.io/v2alpha1", kind: "DataDownload" } as const;

function tell(
  { metadata, spec }: DataDownload,
  text: EventText,
  { log, events }: Pick<RestoreReportOptions, "log" | "events">,
): void {
  const volume = `${spec.targetVolume.namespace}/${spec.targetVolume.pvc}`;
  const message = `${volume}: ${text.message}`;
  const restore = metadata.ownerReferences?.find(({ kind }) => kind === "Restore");
  log.info({ restore: restore?.name, volume, reason: text.reason, decision: text.message }, "restore");
  const { namespace = "" } = metadata;
  const { name = "", uid } = restore ?? metadata;
  const kind = restore === undefined ? OF_NO_RESTORE : { apiVersion: "velero.io/v1", kind: "Restore" };
  events.record({ ...kind, namespace, name, uid }, { ...text, message });
}
