import type { AdmissionRequest } from "../admission/review.ts";
import type { EventRecorder, EventSubject } from "../kube/events.ts";
import { AnyObject } from "../kube/objects.ts";
import type { Log } from "../log.ts";
import type { Metrics } from "../metrics.ts";
import type { Answered } from "./admission.ts";
import { createTallies } from "./tallies.ts";

/** Where answers are reported to. */
export interface ReportOptions {
  readonly metrics: Metrics;
  readonly log: Pick<Log, "plain" | "warn">;
  readonly events: EventRecorder;
  /** Told of each answer, where traces are wanted. */
  readonly trace?: ((answered: Answered) => void) | undefined;
}

/** Where each answer is told of. */
export interface Report {
  /** Counts the answer, writes its log line, and its Events unless the request was a dry run. Keeps nothing of it. */
  answered(answered: Answered): void;
  /** To be called before metrics are read. */
  flush(): void;
}

/** A report of answers to metrics, the log and Events. */
export function createReport({ metrics, log, events, trace }: ReportOptions): Report {
  const tallies = createTallies(metrics);
  return {
    answered(answered) {
      tallies.count(answered);
      writeLine(answered, log);
      recordNotices(answered, events);
      trace?.(answered);
    },
    flush: () => tallies.flush(),
  };
}

function writeLine({ kind, outcome, result, seconds, request }: Answered, log: ReportOptions["log"]): void {
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
    log.plain(fields, "admission");
  }
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
