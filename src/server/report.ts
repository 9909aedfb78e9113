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
  const count = createCounting(metrics);
  return (answered) => {
    const { kind, outcome, result, seconds, request } = answered;
    count(answered);
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

/**
 * An answer without the objects of its request, unless an Event needs them: what waits for its batch would else outlive
 * young garbage collections, and be copied and collected at many times the cost.
 */
export function withoutObjects(answered: Answered): Answered {
  const { request, outcome } = answered;
  if (request === undefined || outcome.notices !== undefined) {
    return answered;
  }
  return { ...answered, request: { ...request, object: undefined, oldObject: undefined } };
}

/** Counts with what prom-client made of the labels before: making it is most of the cost. */
function createCounting({ admissions, admissionSeconds }: Metrics): (answered: Answered) => void {
  const counters = new Map<string, ReturnType<Metrics["admissions"]["labels"]>>();
  const histograms = new Map<string, ReturnType<Metrics["admissionSeconds"]["labels"]>>();
  return (answered) => {
    const { outcome, result, seconds, request } = answered;
    const { code } = outcome;
    const kind = boundedKind(answered);
    const operation = request?.operation ?? "unknown";
    const key = `${kind} ${operation} ${result} ${code}`;
    const counter = counters.get(key) ?? admissions.labels({ kind, operation, outcome: result, code });
    const histogram = histograms.get(kind) ?? admissionSeconds.labels({ kind });
    counters.set(key, counter);
    histograms.set(kind, histogram);
    counter.inc();
    histogram.observe(seconds);
  };
}

/** Whoever reaches the port may ask about any resource: what no rule handles must not become a label of its own. */
function boundedKind({ kind, outcome }: Answered): string {
  return outcome.code === "not_handled" || outcome.code === "no_policy" ? "other" : kind;
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
