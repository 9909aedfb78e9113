/** Something that was done, when it is over. */
export interface Done {
  readonly name: string;
  /** Milliseconds since 1970. */
  readonly start: number;
  readonly end: number;
  readonly attributes: Readonly<Record<string, string | number | boolean | undefined>>;
  /** The caller's trace, as the header `traceparent` has it (W3C Trace Context). */
  readonly traceparent?: string | undefined;
  /** What went wrong; undefined where nothing did. */
  readonly error?: string | undefined;
}

/** Tells an OpenTelemetry collector what was done. */
export interface Traces {
  /** Never throws and never waits: spans are sent in the background, and those that find no place are dropped. */
  span(done: Done): void;
  /** Sends what is left; resolves in any case. */
  stop(): Promise<void>;
}

/**
 * Traces of a component, where OpenTelemetry's own variables say where to (OTEL_EXPORTER_OTLP_ENDPOINT, or _TRACES_ENDPOINT): by OTLP over
 * HTTP, with all else that its SDK reads from the environment. Undefined where they do not: then nothing of it is even loaded.
 */
export async function startTraces(
  component: string,
  environment: NodeJS.ProcessEnv,
): Promise<Traces | undefined> {
  const endpoints = ["OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"];
  if (!endpoints.some((name) => (environment[name] ?? "") !== "")) {
    return undefined;
  }
  const { createTraces } = await import("./open-telemetry.ts");
  return createTraces(`snapshot-retainer-${component}`);
}
