import { collectDefaultMetrics, Counter, Gauge, Histogram, Registry } from "prom-client";
import type { CertificateSource, RotationStatus } from "../certs/source.ts";

/** Every metric of the webhook; docs/metrics.md lists them. Labels are bounded: never a name or a namespace. */
export interface Metrics {
  readonly registry: Registry;
  readonly admissions: Counter<"kind" | "operation" | "outcome" | "code">;
  readonly admissionSeconds: Histogram<"kind">;
  readonly policyValid: Gauge;
  readonly policyLoads: Counter<"result">;
  readonly policyInfo: Gauge<"mode" | "hash">;
  /** From now on the certificate's metrics tell of this source. */
  observeCertificate(source: CertificateSource): void;
  readonly eventsDropped: Counter;
  readonly watchErrors: Counter;
  readonly restoresHandedBack: Counter;
  readonly connectionsRefused: Counter<"reason">;
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
    policyInfo: new Gauge({
      name: "snapshot_retainer_policy_info",
      help: "1 for the policy in force, by its mode and the first 12 hex digits of its SHA-256: replicas that differ have not loaded the same one.",
      labelNames: ["mode", "hash"],
      registers,
    }),
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
    connectionsRefused: new Counter({
      name: "snapshot_retainer_connections_refused_total",
      help: "Connections to the webhook's port that were not taken, by reason (handshake: TLS failed, or no certificate of the client CA; client: one with another name; limit: too many at once).",
      labelNames: ["reason"],
      registers,
    }),
    restoresHandedBack: new Counter({
      name: "snapshot_retainer_restores_handed_back_total",
      help: "Volumes that were to be restored from a retained snapshot and were handed back to Velero's data movement.",
      registers,
    }),
  };
}

/** A gauge whose value is asked for at each scrape. */
interface Asked {
  readonly name: string;
  readonly help: string;
  readonly value: () => number;
}

function observeCertificate(registry: Registry, source: CertificateSource): void {
  const gauges = [...certificateGauges(source), ...(source.rotation ? rotationGauges(source.rotation) : [])];
  for (const { name, help, value } of gauges) {
    registry.registerMetric(
      new Gauge({
        name,
        help,
        registers: [],
        collect() {
          this.set(value());
        },
      }),
    );
  }
}

function certificateGauges(source: CertificateSource): Asked[] {
  return [
    {
      name: "snapshot_retainer_certificate_expiry_timestamp_seconds",
      help: "When the certificate that is served expires, in seconds since 1970; 0 while there is none.",
      value: () => secondsOf(source.current()?.notAfter),
    },
    {
      name: "snapshot_retainer_certificate_published",
      help: "1 when the API server is told to trust the certificate that is served.",
      value: () => (source.published() ? 1 : 0),
    },
  ];
}

function rotationGauges(rotation: () => RotationStatus): Asked[] {
  return [
    {
      name: "snapshot_retainer_certificate_renewal_timestamp_seconds",
      help: "When our own certificate was last renewed, in seconds since 1970; 0 while there is none.",
      value: () => secondsOf(rotation().lastRenewal),
    },
    {
      name: "snapshot_retainer_ca_expiry_timestamp_seconds",
      help: "When our own CA expires, in seconds since 1970; 0 while there is none.",
      value: () => secondsOf(rotation().caNotAfter),
    },
    {
      name: "snapshot_retainer_ca_bundle_in_sync",
      help: "1 when every webhook of our configurations carries exactly the CAs of our Secret.",
      value: () => (rotation().inSync ? 1 : 0),
    },
    {
      name: "snapshot_retainer_ca_unconfirmed_replicas",
      help: "Live replicas that a rotation waits for: until they have seen the next CA published, or no longer serve under an old one.",
      value: () => rotation().waitingFor,
    },
    {
      name: "snapshot_retainer_ca_forced_rotations",
      help: "Rotations that this replica took on without a replica that did not confirm in time, since its start.",
      value: () => rotation().forced,
    },
  ];
}

function secondsOf(date: Date | undefined): number {
  return (date?.getTime() ?? 0) / 1000;
}
