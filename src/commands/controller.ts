import { randomUUID } from "node:crypto";
import type { Server } from "node:http";
import { hostname } from "node:os";
import { setTimeout as sleep } from "node:timers/promises";
import type { Logger } from "pino";
import { createSigner } from "../admission/signer.ts";
import type { WebhookConfig } from "../config.ts";
import { createRecorder } from "../controller/apply-record.ts";
import { keptDocument } from "../controller/believed.ts";
import { createCanaryReport } from "../controller/canary-report.ts";
import { runCanary } from "../controller/canary.ts";
import { startCaches, cacheProblems, unsyncedCaches } from "../controller/caches.ts";
import type { Caches } from "../controller/caches.ts";
import { createContentsByHandle, createFinder } from "../controller/find.ts";
import { gather } from "../controller/gather.ts";
import { startLeader } from "../controller/leader.ts";
import type { Leader, LeaderOptions } from "../controller/leader.ts";
import { createControllerMetrics } from "../controller/metrics.ts";
import type { ControllerMetrics } from "../controller/metrics.ts";
import { createReport } from "../controller/report.ts";
import { createRestoreObjects } from "../controller/restore-objects.ts";
import { createRestoreReport } from "../controller/restore-report.ts";
import { createSightings } from "../controller/sightings.ts";
import { runElector } from "../kube/lease-elector.ts";
import { createRest } from "../kube/rest.ts";
import { readSigningKey } from "../kube/signing-key.ts";
import { startTraces } from "../traces/traces.ts";
import { drain, listenPlain, portOf } from "../server/listen.ts";
import { createProbes } from "../server/probes.ts";
import { startStatusPage } from "./controller-page.ts";
import type { Seeing } from "./controller-page.ts";
import { createParts } from "./parts.ts";
import type { Parts as AnyParts } from "./parts.ts";
import { startPolicy } from "./policy.ts";
import type { RunningPolicy } from "./policy.ts";

/** Flags of `snapshot-retainer controller`, as the command line or the environment gave them. */
export interface ControllerConfig extends Pick<
  WebhookConfig,
  | "kubeconfig"
  | "namespace"
  | "policyConfigmap"
  | "policyFile"
  | "host"
  | "probePort"
  | "signingKeySecret"
  | "logLevel"
> {
  /** Where the status page is; undefined: there is none. */
  readonly statusPort?: number;
  /** Name of the Lease that the replicas elect their leader by. */
  readonly lease: string;
  /** Milliseconds between two probes of admission; 0: there are none. */
  readonly canaryEvery: number;
}

type Parts = AnyParts<ControllerConfig>;

/**
 * Runs one replica until `signal` aborts: it stands by, leads while it has the Lease, and on the signal ends what is under
 * way and gives the Lease up. Throws `ConfigError` for flags that cannot work.
 */
export async function runController(config: ControllerConfig, signal: AbortSignal): Promise<void> {
  const stopped = new AbortController();
  const parts = createParts(config, "snapshot-retainer-controller", stopped.signal);
  const policy = await startPolicy(parts);
  let caches: Caches | undefined;
  let page: Server | undefined;
  function notReady(): string[] {
    return [
      ...(policy.current() === undefined
        ? [`policy: no valid policy has been loaded from ${policy.location}`]
        : []),
      ...(caches === undefined ? ["signing key: not loaded yet"] : unsyncedCaches(caches)),
    ];
  }
  const probes = await listenPlain(
    createProbes(parts.metrics.registry, () => [...(signal.aborted ? ["shutting down"] : []), ...notReady()]),
    { host: config.host, port: config.probePort },
  );
  parts.log.info({ probePort: portOf(probes) }, "probes listening");
  try {
    const replica = await startReplica(parts, policy, signal);
    ({ caches } = replica);
    page = await startStatusPage(parts, policy, replica);
    while ([...notReady(), ...cacheProblems(replica.caches)].length > 0) {
      await sleep(READY_POLL_MS, undefined, { signal });
    }
    await replica.run();
  } catch (error) {
    // Told to stop while still waiting for something: that is no failure.
    if (!signal.aborted) throw error;
  } finally {
    stopped.abort();
    await Promise.all([probes, page].map(async (server) => server && drain(server, 0)));
  }
  parts.log.info("stopped");
}

/** Nobody should lead who does not see everything yet; a start takes seconds. */
const READY_POLL_MS = 50;

interface Replica extends Seeing {
  /** Stands by and leads until the signal aborts. */
  run(): Promise<void>;
}

async function startReplica(parts: Parts, policy: RunningPolicy, stop: AbortSignal): Promise<Replica> {
  const { config, rest, onError } = parts;
  const { namespace, signingKeySecret } = config;
  const key = await readSigningKey({ rest, namespace, name: signingKeySecret, onError, signal: stop });
  const signer = createSigner(key);
  const sightings = createSightings();
  const handles = createContentsByHandle();
  const restoreObjects = createRestoreObjects();
  const metrics = createControllerMetrics(parts.metrics.registry);
  let leader: Leader | undefined;
  const caches = startCaches({
    ...parts,
    signer,
    namespace,
    sightings,
    handles,
    restoreObjects,
    onDownload: (download, before) => leader?.downloadChanged(download, before),
    now: Date.now,
    onChange: (urgent) => leader?.ring(urgent),
  });
  const find = createFinder(caches, handles);
  policy.onLoaded(() => leader?.ring(true));
  const traces = await startTraces("controller", process.env);
  const options = leaderOptions(parts, policy, {
    traces,
    caches,
    find,
    sightings,
    restoreObjects,
    metrics,
    signer,
    stop,
  });
  return {
    caches,
    find,
    world: () => gather(caches, sightings, keptDocument, Date.now()),
    leads: () => leader !== undefined,
    async run() {
      await elect(parts, stop, async (term) => {
        leader = startLeader(term, options);
        const over = AbortSignal.any([term.signal, stop]);
        await Promise.all([leader.ended, probeAdmission(parts, { policy, metrics, signal: over })]);
        leader = undefined;
      });
      await traces?.stop();
    },
  };
}

type Seen = Pick<
  LeaderOptions,
  "traces" | "caches" | "find" | "sightings" | "restoreObjects" | "metrics" | "signer" | "stop"
>;

function leaderOptions(parts: Parts, policy: RunningPolicy, seen: Seen): LeaderOptions {
  const { rest, log, events, onError } = parts;
  const { metrics } = seen;
  const ofRestores = { ...metrics, restoresHandedBack: parts.metrics.restoresHandedBack };
  return {
    ...seen,
    rest,
    documents: keptDocument,
    recorder: createRecorder(),
    policy: () => policy.current(),
    createReport: () => createReport({ log, events, metrics }),
    createRestoreReport: () => createRestoreReport({ log, events, metrics: ofRestores }),
    now: Date.now,
    clock: () => performance.now(),
    random: Math.random,
    onError,
    onBlocked: createBlockedLog(log),
  };
}

async function probeAdmission(
  { config, rest, log, events }: Parts,
  {
    policy,
    metrics,
    signal,
  }: {
    readonly policy: RunningPolicy;
    readonly metrics: ControllerMetrics;
    readonly signal: AbortSignal;
  },
): Promise<void> {
  if (config.canaryEvery === 0) return;
  const { namespace, policyConfigmap: name } = config;
  const path = `/api/v1/namespaces/${namespace}/configmaps/${name}`;
  const subject = { apiVersion: "v1", kind: "ConfigMap", namespace, name, path };
  const onResult = createCanaryReport({ metrics, events, subject, log, now: Date.now });
  await runCanary({ rest, everyMs: config.canaryEvery, policy: () => policy.current(), onResult, signal });
}

async function elect(
  { config, kubeConfig, log, onError }: Parts,
  stop: AbortSignal,
  lead: Parameters<typeof runElector>[0]["lead"],
): Promise<void> {
  const identity = `${hostname()}_${randomUUID()}`;
  await runElector({
    // With connections of its own: a renewal must not queue behind the work.
    rest: createRest(kubeConfig),
    namespace: config.namespace,
    name: config.lease,
    identity,
    async lead(term) {
      log.info({ identity }, "leading");
      await lead(term);
      log.info({ identity }, "no longer leading");
    },
    clock: () => performance.now(),
    now: () => new Date(),
    onError,
    onLost: (reason) => log.warn({ identity, reason }, "the Lease was lost, standing by"),
    stop,
  });
}

/** Says once what keeps the leader from deciding, and once that nothing does any more. */
function createBlockedLog(log: Logger): (problems: readonly string[]) => void {
  let last = "";
  return (problems) => {
    const now = problems.join("; ");
    if (now !== last && now === "") log.info("deciding again");
    if (now !== last && now !== "") log.warn({ problems: now }, "not deciding: the cluster is not seen");
    last = now;
  };
}
