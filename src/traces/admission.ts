import type { Answered } from "../server/admission.ts";
import type { Traces } from "./traces.ts";

/** The span of an answered request; `now` in milliseconds since 1970. */
export function traceAnswer(traces: Traces, answered: Answered, now: number): void {
  const { kind, outcome, result, seconds, request, traceparent } = answered;
  traces.span({
    name: `admit ${kind}`,
    start: now - seconds * 1000,
    end: now,
    traceparent,
    attributes: {
      "k8s.admission.uid": request?.uid,
      "k8s.admission.operation": request?.operation,
      "k8s.namespace.name": request?.namespace,
      "k8s.object.name": request?.name,
      "snapshot_retainer.code": outcome.code,
      "snapshot_retainer.result": result,
    },
    error: result === "failed_open" ? outcome.code : undefined,
  });
}
