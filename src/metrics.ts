import { collectDefaultMetrics, Counter, Gauge, Histogram, Registry } from "prom-client";
import type { CertificateSource } from "../certs/source.ts";

/** Every metric of the webhook; docs/metrics.md lists them. Labels are bounded: never a name or a namespace. */
export interface Metrics {
  readonly registry: Registry;
  readonly admissions: Counter<"kind" | "operation" | "outcome" | "code">;
  readonly admissionSeconds: Histogram<"kind">;
  readonly policyValid: Gauge;
  readonly policyLoads: Counter<"result">;
  /** From now on the certificate's metrics tell of this source. */
  observeCertificate(source: CertificateSource): void;
  readonly eventsDropped: Counter;
  readonly watchErrors: Counter;
}

/** The registry of one process, with Node's own metrics (event-loop lag, heap, file descriptors) in it. */
export function createMetrics(): Metrics {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  return { registry, ...admissionMetrics(registry), ...stateMetrics(registry) };
}

function admissionMetrics(registry: Registry): Pick<Metrics, "admissions" | "admissionSeconds"> {
  const registers = [registry];
  return {
    admissions: new Counter({
      name: "snapshot_retainer_admission_requests_total",
      help: "Admission requests answered, by kind, operation, outcome (patched, unchanged, audited, failed_open, denied) and reason code.",
      labelNames: ["kind", "operation", "outcome", "code"],
      registers,
    }),
    admissionSeconds: new Histogram({
      name: "snapshot_retainer_admission_duration_seconds",
      help: "Time from a request's last byte to its answer.",
      labelNames: ["kind"],
      buckets: [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 3, 5],
      registers,
    }),
  };
}

function stateMetrics(registry: Registry): Omit<Metrics, "registry" | "admissions" | "admissionSeconds"> {
  const registers = [registry];
  return {
    policyValid: new Gauge({
      name: "snapshot_retainer_policy_valid",
      help: "1 when the policy document last seen is valid and in force, 0 when an earlier one (or none) is.",
      registers,
    }),
    policyLoads: new Counter({
      name: "snapshot_retainer_policy_loads_total",
      help: "Policy documents seen, by result (loaded, invalid, missing).",
      labelNames: ["result"],
      registers,
    }),
    observeCertificate: (source) => observeCertificate(registry, source),
    eventsDropped: new Counter({
      name: "snapshot_retainer_events_dropped_total",
      help: "Kubernetes Events that were not written, by the rate limit or by an error.",
      registers,
    }),
    watchErrors: new Counter({
      name: "snapshot_retainer_watch_errors_total",
      help: "Errors of watches and of background writes; each is retried.",
      registers,
    }),
  };
}

function observeCertificate(registry: Registry, source: CertificateSource): void {
  const expiry = new Gauge({
    name: "snapshot_retainer_certificate_expiry_timestamp_seconds",
    help: "When the certificate that is served expires, in seconds since 1970; 0 while there is none.",
    registers: [],
    collect() {
      this.set((source.current()?.notAfter.getTime() ?? 0) / 1000);
    },
  });
  const published = new Gauge({
    name: "snapshot_retainer_certificate_published",
    help: "1 when the API server is told to trust the certificate that is served.",
    registers: [],
    collect() {
      this.set(source.published() ? 1 : 0);
    },
  });
  registry.registerMetric(expiry);
  registry.registerMetric(published);
}
