import type { Logger } from "pino";
import type { EventRecorder, EventSubject } from "../kube/events.ts";
import type { CanaryResult } from "./canary.ts";
import type { ControllerMetrics } from "./metrics.ts";

/** Whom to tell of probes. */
export interface CanaryReportOptions {
  readonly metrics: Pick<ControllerMetrics, "canaryProbes" | "canarySuccess">;
  readonly events: EventRecorder;
  /** The policy's ConfigMap, where admins look. */
  readonly subject: EventSubject;
  readonly log: Logger;
  /** Milliseconds since 1970. */
  readonly now: () => number;
}

/** Counts each probe, and tells by the log and an Event whenever a namespace's result is another one than before. */
export function createCanaryReport(options: CanaryReportOptions): (result: CanaryResult) => void {
  const { metrics, events, subject, log, now } = options;
  const before = new Map<string, CanaryResult["kind"]>();
  return (result) => {
    const { kind, namespace } = result;
    metrics.canaryProbes.inc({ result: kind });
    if (kind === "mutated") metrics.canarySuccess.set(now() / 1000);
    // A first success is no news.
    if (kind === (before.get(namespace) ?? "mutated")) {
      before.set(namespace, kind);
      return;
    }
    before.set(namespace, kind);
    const message = sentenceOf(result);
    if (kind === "mutated") log.info({ namespace }, "the canary is well again");
    else log.warn({ namespace, result: kind, explanation: message }, "the canary is not well");
    events.record(subject, {
      type: kind === "mutated" ? "Normal" : "Warning",
      reason: kind === "mutated" ? "AdmissionWorks" : "AdmissionBypassed",
      message,
    });
  };
}

function sentenceOf(result: CanaryResult): string {
  const where = `A Backup in the namespace ${result.namespace}`;
  switch (result.kind) {
    case "mutated":
      return `${where} is changed by the webhook again.`;
    case "unmutated":
      return `${where} passes the API server without being changed: new backups get no limit, and their snapshots are not kept. Is the webhook ready, does its configuration exist, and can the API server reach it?`;
    case "failed":
      return `${where} could not be tried: ${result.reason}`;
  }
}
