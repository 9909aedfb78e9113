import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { openSync, readFileSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { Cluster } from "../cluster/cluster.ts";
import { findPorts } from "../cluster/ports.ts";
import { PROGRAM } from "../program.ts";
import { eventually } from "./eventually.ts";
import { readMetric } from "./metrics.ts";
import { startService } from "./service.ts";
import type { Service, ServiceOptions } from "./service.ts";

/** Names under which the tests and the demo install the chart. */
export const NAMESPACE = "snapshot-retainer";
export const ACCOUNT = `system:serviceaccount:${NAMESPACE}:snapshot-retainer-webhook`;
export const CONTROLLER_ACCOUNT = `system:serviceaccount:${NAMESPACE}:snapshot-retainer-controller`;
const CHART = "charts/snapshot-retainer";
export const POLICY_CONFIGMAP = "snapshot-retainer-policy";
/** Where the webhook keeps its CA and its certificate. */
export const TLS_SECRET = {
  apiVersion: "v1",
  kind: "Secret",
  metadata: { name: "snapshot-retainer-tls", namespace: NAMESPACE },
};

/** One process of ours. */
export interface Process {
  readonly probes: string;
  readonly log: string;
  readonly process: ChildProcess;
  /** When it was started, by performance.now(). */
  readonly started: number;
  stop(signal?: NodeJS.Signals): Promise<number | null>;
  /** Resolves when /readyz says 200; throws with the end of the log when it does not for long. */
  ready(): Promise<void>;
}

/** One webhook process. */
export interface Replica extends Process {
  /** Its own address; the API server calls the product's. */
  readonly url: string;
}

/** The product installed in a cluster as an admin would: the chart applied, webhook processes as its ServiceAccount. */
export interface Product {
  readonly values: string;
  readonly replicas: readonly Replica[];
  /** Those of them that have not ended. */
  running(): Replica[];
  /** Where the API server calls; like a Service, it leads to the replicas that are ready. */
  readonly url: string;
  readonly service: Pick<Service, "refused">;
  startReplica(options?: ReplicaOptions): Promise<Replica>;
  /** Starts a controller as the chart's ServiceAccount for it; none runs until this is called. */
  startController(options?: Pick<ReplicaOptions, "flags" | "program" | "nodeFlags">): Promise<Process>;
  /** The controllers that have not ended. */
  runningControllers(): Process[];
  /** The CA that the API server is told to trust, PEM. */
  authority(): Promise<string>;
  /** Applies a policy document into the ConfigMap, as kubectl does it; resolves when every replica has loaded it. */
  applyPolicy(policy: object): Promise<void>;
  /** Applies the chart once more, which puts back what was changed or deleted. */
  applyChart(): Promise<void>;
  stop(): Promise<void>;
}

/** How to install. */
export interface ProductOptions {
  /** A chart; the one in this repository where left out. */
  readonly chart?: string;
  /** The chart's `policy` value. */
  readonly policy?: object;
  /** Further values. */
  readonly values?: object;
  /** Further values of `webhook`. */
  readonly webhook?: object;
  /** How the first replica runs. */
  readonly replica?: ReplicaOptions;
  /** How the Service in front of the replicas behaves. */
  readonly service?: ServiceOptions;
}

/** How to run one replica. */
export interface ReplicaOptions {
  /** How long to serve on after SIGTERM; 0 where left out. */
  readonly drainSeconds?: number;
  /** Further flags; they win over the usual ones. */
  readonly flags?: readonly string[];
  /** What to run; the program in this repository where left out. */
  readonly program?: string;
  /** Node's own flags, as the image and the chart give them; none where left out. */
  readonly nodeFlags?: readonly string[];
}

/**
 * Renders and applies the chart with a `webhook.url`, since there are no Pods here, and starts the webhook as processes
 * that act as the chart's ServiceAccount with exactly its rights.
 */
export async function installProduct(cluster: Cluster, options: ProductOptions = {}): Promise<Product> {
  const [port = 0] = await findPorts(1);
  const url = `https://127.0.0.1:${port}`;
  const valuesFile = await installChart(cluster, url, options);
  const kubeconfig = await cluster.kubeconfigFor(NAMESPACE, "snapshot-retainer-webhook");
  const service = await startService(port, options.service);
  const replicas: Replica[] = [];
  const controllers: Process[] = [];
  let documents = 0;
  async function startReplica(given: ReplicaOptions = {}): Promise<Replica> {
    const { drainSeconds = 0, flags = [], program, nodeFlags } = given;
    const [own = 0, probePort = 0] = await findPorts(2);
    const args = [...webhookArgs({ kubeconfig, port: own, drainSeconds }), ...flags];
    const launched = launch({ cluster, program, nodeFlags, command: "webhook", probePort, args });
    service.add({ port: own, probes: launched.probes });
    const replica = {
      ...launched,
      url: `https://127.0.0.1:${own}`,
      async stop(signal?: NodeJS.Signals) {
        const code = await launched.stop(signal);
        await service.refresh();
        return code;
      },
      async ready() {
        await launched.ready();
        await service.refresh();
      },
    };
    replicas.push(replica);
    return replica;
  }
  async function startController(
    given: Pick<ReplicaOptions, "flags" | "program" | "nodeFlags"> = {},
  ): Promise<Process> {
    const { flags = [], program, nodeFlags } = given;
    const [probePort = 0] = await findPorts(1);
    const account = await cluster.kubeconfigFor(NAMESPACE, "snapshot-retainer-controller");
    // Probes of admission are asked for where they are what a test is about: some count every request.
    const usual = ["--namespace", NAMESPACE, "--host", "127.0.0.1", "--canary-every", "off"];
    const args = ["--kubeconfig", account, ...usual, ...flags];
    const launched = launch({ cluster, program, nodeFlags, command: "controller", probePort, args });
    controllers.push(launched);
    return launched;
  }
  await (await startReplica(options.replica)).ready();
  await calledByApiServer(cluster);
  return {
    values: valuesFile,
    replicas,
    running: () => replicas.filter(isRunning),
    url,
    service,
    startReplica,
    startController,
    runningControllers: () => controllers.filter(isRunning),
    async authority() {
      const bundle = "-o=jsonpath={.webhooks[0].clientConfig.caBundle}";
      const configuration = "mutatingwebhookconfiguration/snapshot-retainer";
      return atob((await cluster.kubectl(["get", configuration, bundle])).stdout);
    },
    async applyPolicy(policy) {
      const document = { apiVersion: "snapshot-retainer.io/v1alpha1", kind: "RetentionPolicy", ...policy };
      const running = [...replicas, ...controllers].filter(isRunning);
      const before = await Promise.all(running.map(countLoads));
      // The comment makes it news, also where the policy is what it was.
      const text = `${JSON.stringify(document, null, 2)}\n# document ${++documents}\n`;
      await cluster.kubectl(["apply", "--server-side", "--force-conflicts", "-f", "-"], {
        stdin: configMap(text),
      });
      await Promise.all(
        running.map(async (replica, index) =>
          eventually("the policy is in force", async () => {
            assert.ok((await countLoads(replica)) > (before[index] ?? 0));
          }),
        ),
      );
    },
    async applyChart() {
      const place = ["--namespace", NAMESPACE, "--values", valuesFile];
      const chart = options.chart ?? CHART;
      await cluster.helm(["upgrade", "snapshot-retainer", chart, ...place, "--force"]);
    },
    async stop() {
      await Promise.all([...replicas, ...controllers].map(async (started) => started.stop("SIGKILL")));
      service.close();
    },
  };
}

async function installChart(cluster: Cluster, url: string, options: ProductOptions): Promise<string> {
  const values = {
    ...options.values,
    policy: options.policy ?? {
      snapshotsToRetain: 3,
      ceilings: { drivers: { "array.csi.snapshot-retainer.io": 10 } },
    },
    webhook: { url, volumeSnapshotNamePrefixes: ["velero-"], ...options.webhook },
  };
  const file = join(cluster.directory, "values.json");
  await writeFile(file, JSON.stringify(values));
  await cluster.kubectl(["create", "namespace", NAMESPACE], { allowFailure: true });
  const chart = ["snapshot-retainer", options.chart ?? CHART];
  await cluster.helm(["upgrade", "--install", ...chart, "--namespace", NAMESPACE, "--values", file]);
  return file;
}

/** The API server learns of a webhook, and of its certificate, a moment after these are stored. */
async function calledByApiServer(cluster: Cluster): Promise<void> {
  const stdin = JSON.stringify({
    apiVersion: "velero.io/v1",
    kind: "Backup",
    metadata: { name: "is-anybody-there", namespace: "velero" },
    spec: {},
  });
  await eventually("the API server calls the webhook", async () => {
    const { stdout } = await cluster.kubectl(["create", "--dry-run=server", "-o=json", "-f", "-"], { stdin });
    assert.match(stdout, /data-mover-snapshot-to-retain/);
  });
}

function isRunning({ process: { exitCode, signalCode } }: Process): boolean {
  return exitCode === null && signalCode === null;
}

async function countLoads(replica: Process): Promise<number> {
  return readMetric([replica], "snapshot_retainer_policy_loads_total", { result: "loaded" });
}

/** The policy ConfigMap with this document. */
export function configMap(document: string): string {
  return JSON.stringify({
    apiVersion: "v1",
    kind: "ConfigMap",
    metadata: { name: POLICY_CONFIGMAP, namespace: NAMESPACE },
    data: { "policy.yaml": document },
  });
}

function webhookArgs(given: {
  readonly kubeconfig: string;
  readonly port: number;
  readonly drainSeconds: number;
}): string[] {
  return [
    ["--kubeconfig", given.kubeconfig],
    ["--namespace", NAMESPACE],
    ["--host", "127.0.0.1"],
    ["--port", String(given.port)],
    ["--dns-name", "127.0.0.1"],
    ["--webhook-configuration", "snapshot-retainer"],
    ["--own-account", ACCOUNT],
    ["--own-account", CONTROLLER_ACCOUNT],
    ["--drain-seconds", String(given.drainSeconds)],
  ].flat();
}

interface LaunchOptions {
  readonly cluster: Cluster;
  readonly program: string | undefined;
  readonly nodeFlags: readonly string[] | undefined;
  readonly command: "webhook" | "controller";
  readonly probePort: number;
  readonly args: readonly string[];
}

function launch(options: LaunchOptions): Process {
  const { cluster, program = PROGRAM, nodeFlags = [], command, probePort, args } = options;
  const log = join(cluster.directory, "logs", `${command}-${probePort}.log`);
  const file = openSync(log, "a");
  const given = [command, "--probe-port", String(probePort), ...args];
  const started = performance.now();
  const child = spawn(process.execPath, [...nodeFlags, program, ...given], { stdio: ["ignore", file, file] });
  const probes = `http://127.0.0.1:${probePort}`;
  function endWithUs(): void {
    child.kill("SIGKILL");
  }
  process.once("exit", endWithUs);
  child.once("exit", () => process.off("exit", endWithUs));
  return {
    probes,
    log,
    process: child,
    started,
    async stop(signal = "SIGTERM") {
      if (child.exitCode === null && child.signalCode === null) {
        child.kill(signal);
        await once(child, "exit");
      }
      return child.exitCode;
    },
    ready: async () => waitUntilReady(child, probes, log),
  };
}

/** It takes seconds; on a machine with other work, its first lists of nine collections have taken half a minute. */
const READY_WITHIN_MS = 90_000;

async function waitUntilReady(child: ChildProcess, probes: string, log: string): Promise<void> {
  let last = "no answer";
  const end = performance.now() + READY_WITHIN_MS;
  while (performance.now() < end && child.exitCode === null) {
    const response = await fetch(`${probes}/readyz`).catch(() => undefined);
    if (response?.status === 200) {
      return;
    }
    last = response === undefined ? last : await response.text();
    await sleep(50);
  }
  const tail = readFileSync(log, "utf8").split("\n").slice(-20).join("\n");
  throw new Error(`the process did not become ready: ${last}\nend of its log, ${log}:\n${tail}`);
}
