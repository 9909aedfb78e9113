import { ROOT_CONTEXT, SpanKind, SpanStatusCode, TraceFlags, trace } from "@opentelemetry/api";
import type { Context } from "@opentelemetry/api";
import { OTLPTraceExporter } from "@opentelemetry/exporter-trace-otlp-http";
import { detectResources, envDetector, resourceFromAttributes } from "@opentelemetry/resources";
import { BasicTracerProvider, BatchSpanProcessor } from "@opentelemetry/sdk-trace-base";
import type { Traces } from "./traces.ts";

/** Traces under this name of a service, unless OTEL_SERVICE_NAME or OTEL_RESOURCE_ATTRIBUTES say another. */
export function createTraces(service: string): Traces {
  const provider = new BasicTracerProvider({
    resource: resourceFromAttributes({ "service.name": service }).merge(
      detectResources({ detectors: [envDetector] }),
    ),
    spanProcessors: [new BatchSpanProcessor(new OTLPTraceExporter())],
  });
  const tracer = provider.getTracer("snapshot-retainer");
  return {
    span({ name, start, end, attributes, traceparent, error }) {
      const span = tracer.startSpan(
        name,
        { kind: SpanKind.SERVER, startTime: start, attributes },
        parentOf(traceparent),
      );
      if (error !== undefined) span.setStatus({ code: SpanStatusCode.ERROR, message: error });
      span.end(end);
    },
    async stop() {
      await provider.shutdown().catch(() => undefined);
    },
  };
}

/** `00-<trace>-<span>-<flags>`; anything else begins a trace of its own. */
function parentOf(traceparent: string | undefined): Context {
  const [, traceId, spanId, flags] =
    /^00-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})$/.exec(traceparent ?? "") ?? [];
  if (traceId === undefined || spanId === undefined || flags === undefined) {
    return ROOT_CONTEXT;
  }
  const isSampled = (Number.parseInt(flags, 16) & TraceFlags.SAMPLED) !== 0;
  return trace.setSpanContext(ROOT_CONTEXT, {
    traceId,
    spanId,
    traceFlags: isSampled ? TraceFlags.SAMPLED : TraceFlags.NONE,
    isRemote: true,
  });
}
