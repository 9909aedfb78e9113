import { randomBytes, randomUUID } from "node:crypto";
import type { RequestListener } from "node:http";
import { createCertificatePorts } from "../../certs/ports.ts";
import { loadOrCreateSigningKey } from "../../certs/signing-key.ts";
import { waitForPair } from "../../certs/source.ts";
import type { CertificateSource } from "../../certs/source.ts";
import type { RoomNeed } from "../admission/room-needed.ts";
import { createSigner } from "../admission/signer.ts";
import type { Signer } from "../admission/signer.ts";
import { checkWebhookConfig } from "../config.ts";
import type { WebhookConfig } from "../config.ts";
import { startClusterLookup } from "../kube/cluster-lookup.ts";
import { watchDataUploadSchema } from "../kube/data-upload-schema.ts";
import { createOriginalsMemory } from "../kube/memory.ts";
import type { OriginalsMemory } from "../kube/memory.ts";
import { POLICY_KEY, watchConfigMap } from "../kube/policy-source.ts";
import { createApp } from "../server/app.ts";
import { drain, listenPlain, listenTls, portOf } from "../server/listen.ts";
import { createProbes } from "../server/probes.ts";
import type { Answered } from "../server/admission.ts";
import { createReport } from "../server/report.ts";
import { traceAnswer } from "../traces/admission.ts";
import { startTraces } from "../traces/traces.ts";
import { startCertificates, tlsSettings } from "./certificates.ts";
import { startControllerLink } from "./controller-link.ts";
import { startHandBack } from "./hand-back.ts";
import { createParts } from "./parts.ts";
import type { Parts as AnyParts } from "./parts.ts";
import { startPolicy } from "./policy.ts";
import type { RunningPolicy } from "./policy.ts";

type Parts = AnyParts<WebhookConfig>;

/**
 * Longest that a decision may take: two thirds of the five seconds that the API server waits, so that there is
 * time to say why nothing was changed.
 */
const DEADLINE_MS = 3_300;
/** Longest wait for room once we are told to stop: well within the time that requests under way are given then. */
const STOPPING_WAIT_MS = 1_500;

/**
 * Runs the webhook until `signal` aborts, then drains: not ready at once, serving on for the drain time.
 * Throws `ConfigError` for flags that cannot work.
 */
export async function runWebhook(config: WebhookConfig, signal: AbortSignal): Promise<void> {
  checkWebhookConfig(config);
  const stopped = new AbortController();
  const parts = createParts(config, "snapshot-retainer", stopped.signal);
  const certificates = startCertificates(parts);
  const policy = await startPolicy(parts);
  let admission: Admission | undefined;
  const probes = await listenPlain(
    createProbes(
      parts.metrics.registry,
      () => [
        ...(signal.aborted ? ["shutting down"] : []),
        ...policyProblems(policy),
        ...certificateProblems(certificates),
        ...(admission === undefined ? ["signing key: not loaded yet"] : admission.notReady()),
      ],
      () => admission?.beforeScrape(),
    ),
    { host: config.host, port: config.probePort },
  );
  parts.log.info({ probePort: portOf(probes) }, "probes listening");
  try {
    admission = await startAdmission(parts, policy, signal);
    await serve(parts, admission, certificates, signal);
    await admission.flush();
  } catch (error) {
    // Told to stop while still waiting for a key or a certificate: that is no failure.
    if (!signal.aborted) {
      throw error;
    }
  } finally {
    stopped.abort();
    await certificates.stop();
    await drain(probes, 0);
  }
  parts.log.info("stopped");
}

async function serve(
  { config, log, metrics, signal: stopped }: Parts,
  admission: Admission,
  certificates: CertificateSource,
  signal: AbortSignal,
): Promise<void> {
  const pair = await waitForPair(certificates, signal);
  const { host, port } = config;
  const server = await listenTls(admission.app, {
    host,
    port,
    pair,
    certificates,
    stopping: signal,
    tls: await tlsSettings(config, log, stopped),
    onRefused: (reason) => metrics.connectionsRefused.inc({ reason }),
  });
  log.info({ port: portOf(server) }, "webhook listening");
  await aborted(signal);
  log.info({ drainSeconds: config.drainSeconds }, "draining");
  await drain(server, config.drainSeconds * 1000);
}

/** Everything between a request and its answer. */
interface Admission {
  readonly app: RequestListener;
  /** Tells metrics of the answers that they do not know of yet. */
  beforeScrape(): void;
  /** Writes everything that still waits to be written. */
  flush(): Promise<void>;
  /** What is missing before requests are decided well. */
  notReady(): string[];
}

async function startAdmission(parts: Parts, policy: RunningPolicy, signal: AbortSignal): Promise<Admission> {
  const { config, rest, onError } = parts;
  const signer = await loadSigner(parts, signal);
  const { memory, loaded } = startMemory(parts, signer);
  const lookup = startClusterLookup({ ...parts, signer, memory });
  policy.onLoaded((current) => lookup.watchSnapshotAssociatedObjects(current.snapshotAssociatedObjects));
  const controller = startControllerLink(parts);
  startHandBack(parts, policy, controller);
  const schema = watchDataUploadSchema(rest, onError, parts.signal);
  const traces = await startTraces("webhook", process.env);
  const trace = traces && ((answered: Answered) => traceAnswer(traces, answered, Date.now()));
  const report = createReport({ ...parts, trace });
  const app = createApp({
    context: () => ({
      policy: policy.current(),
      policyLocation: policy.location,
      signer,
      randomId: randomUUID,
      hasRetainSnapshotField: schema.hasRetainSnapshot(),
      controllerAlive: controller.liveness.alive(),
      lookup,
      ownAccounts: config.ownAccount,
    }),
    policyKey: POLICY_KEY,
    deadlineMs: DEADLINE_MS,
    room: { ask: async (need) => controller.room.ask(signal.aborted ? hurried(need) : need) },
    onAnswered: (answered) => report.answered(answered),
    clock: () => performance.now() / 1000,
    onError,
  });
  return {
    app,
    beforeScrape: () => report.flush(),
    async flush() {
      await Promise.all([memory.flush(), traces?.stop()]);
    },
    notReady: () => [
      ...lookup.unsynced().map((name) => `cache: ${name} not synced yet`),
      ...(controller.synced() ? [] : ["cache: leases not synced yet"]),
      ...(loaded() ? [] : ["memory: the ConfigMap of originals has not been read yet"]),
    ],
  };
}

/** A request that is still under way when the server closes would pass unlabelled. */
function hurried(need: RoomNeed): RoomNeed {
  return { ...need, waitMs: Math.min(need.waitMs, STOPPING_WAIT_MS) };
}

async function loadSigner({ config, kubeConfig, log }: Parts, signal: AbortSignal): Promise<Signer> {
  const { rest } = createCertificatePorts(kubeConfig);
  const { namespace, signingKeySecret: name } = config;
  return createSigner(await loadOrCreateSigningKey({ rest, namespace, name, randomBytes, log, signal }));
}

function startMemory(parts: Parts, signer: Signer): { memory: OriginalsMemory; loaded: () => boolean } {
  const { config, rest, onError, signal } = parts;
  const { namespace, originalsConfigmap: name } = config;
  const memory = createOriginalsMemory({ rest, namespace, name, signer, now: () => Date.now(), onError });
  const loaded = watchConfigMap({
    rest,
    namespace,
    name,
    onChange: (configMap) => memory.load(configMap?.data ?? {}),
    onError,
    signal,
  });
  return { memory, loaded };
}

function policyProblems(policy: RunningPolicy): string[] {
  return policy.current() === undefined
    ? [`policy: no valid policy has been loaded from ${policy.location}`]
    : [];
}

function certificateProblems(certificates: CertificateSource): string[] {
  return certificates.published() ? [] : [`certificate: ${certificates.problem() ?? "not published yet"}`];
}

async function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) {
      resolve();
    }
    signal.addEventListener("abort", () => resolve(), { once: true });
  });
}
