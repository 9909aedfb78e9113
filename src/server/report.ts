import type { Logger } from "pino";
import type { AdmissionRequest } from "../admission/review.ts";
import type { EventRecorder, EventSubject } from "../kube/events.ts";
import { AnyObject } from "../kube/objects.ts";
import type { Metrics } from "../metrics.ts";
import type { Answered } from "./admission.ts";

/** Where answers are reported to. */
export interface ReportOptions {
  readonly metrics: Metrics;
  readonly log: Logger;
  readonly events: EventRecorder;
}

/** Counts each answer, writes its log line, and its Events unless the request was a dry run. */
export function createReport({ metrics, log, events }: ReportOptions): (answered: Answered) => void {
  return (answered) => {
    const { kind, outcome, result, seconds, request } = answered;
    metrics.admissions.inc({
      kind,
      operation: request?.operation ?? "unknown",
      outcome: result,
      code: outcome.code,
    });
    metrics.admissionSeconds.observe({ kind }, seconds);
    const fields = {
      uid: request?.uid,
      kind,
      operation: request?.operation,
      namespace: request?.namespace,
      name: request?.name,
      username: request?.userInfo.username,
      code: outcome.code,
      result,
      durationMs: Math.round(seconds * 1e5) / 100,
      ...outcome.audit,
    };
    if (result === "failed_open") {
      log.warn({ ...fields, warnings: outcome.warnings }, "admission failed open");
    } else {
      log.info(fields, "admission");
    }
    recordNotices(answered, events);
  };
}

function recordNotices({ outcome, request, result }: Answered, events: EventRecorder): void {
  if (
    request === undefined ||
    request.dryRun === true ||
    result === "audited" ||
    outcome.notices === undefined
  ) {
    return;
  }
  const subject = subjectOf(request);
  for (const notice of subject === undefined ? [] : outcome.notices) {
    if (subject !== undefined) {
      events.record(subject, notice);
    }
  }
}

/** The object of the request; undefined while it has no name, since an Event must point somewhere. */
function subjectOf(request: AdmissionRequest): EventSubject | undefined {
  const object = AnyObject.safeParse(request.object);
  const name = request.name ?? object.data?.metadata.name ?? "";
  const { group, version, resource } = request.resource;
  const namespace = request.namespace ?? "";
  const apiVersion = group === "" ? version : `${group}/${version}`;
  const root = group === "" ? "/api" : "/apis";
  const collection = namespace === "" ? resource : `namespaces/${encodeURIComponent(namespace)}/${resource}`;
  return name === ""
    ? undefined
    : {
        apiVersion,
        kind: request.kind.kind,
        namespace,
        name,
        uid: object.data?.metadata.uid,
        path: `${root}/${apiVersion}/${collection}/${encodeURIComponent(name)}`,
      };
}
