import { spawn } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { openSync, readFileSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { Cluster } from "../cluster/cluster.ts";
import { findPorts } from "../cluster/ports.ts";

/** Names under which the tests and the demo install the chart. */
export const NAMESPACE = "snapshot-retainer";
export const ACCOUNT = `system:serviceaccount:${NAMESPACE}:snapshot-retainer-webhook`;
export const POLICY_CONFIGMAP = "snapshot-retainer-policy";

/** One webhook process. */
export interface Replica {
  readonly url: string;
  readonly probes: string;
  readonly log: string;
  readonly process: ChildProcess;
  stop(signal?: NodeJS.Signals): Promise<number | null>;
  /** Resolves when /readyz says 200; throws with the end of the log when it does not within 30 seconds. */
  ready(): Promise<void>;
}

/** The product installed in a cluster as an admin would: the chart applied, webhook processes as its ServiceAccount. */
export interface Product {
  readonly values: string;
  readonly replicas: readonly Replica[];
  startReplica(): Promise<Replica>;
  /** Applies a policy document into the ConfigMap, as kubectl does it. */
  applyPolicy(policy: object): Promise<void>;
  stop(): Promise<void>;
}

/** How to install. */
export interface ProductOptions {
  /** The chart's `policy` value. */
  readonly policy?: object;
  /** Further values. */
  readonly values?: object;
}

/**
 * Renders and applies the chart with a `webhook.url`, since there are no Pods here, and starts the webhook as processes
 * that act as the chart's ServiceAccount with exactly its rights.
 */
export async function installProduct(cluster: Cluster, options: ProductOptions = {}): Promise<Product> {
  // One process at a time has the URL's port; there is no Service here that would spread requests.
  const [port = 0] = await findPorts(1);
  const values = {
    ...options.values,
    policy: options.policy ?? {
      snapshotsToRetain: 3,
      ceilings: { drivers: { "array.csi.snapshot-retainer.io": 10 } },
    },
    webhook: { url: `https://127.0.0.1:${port}`, volumeSnapshotNamePrefixes: ["velero-"] },
  };
  const valuesFile = join(cluster.directory, `values-${port}.json`);
  await writeFile(valuesFile, JSON.stringify(values));
  await cluster.kubectl(["create", "namespace", NAMESPACE], { allowFailure: true });
  await cluster.helm([
    "upgrade",
    "--install",
    "snapshot-retainer",
    "charts/snapshot-retainer",
    "--namespace",
    NAMESPACE,
    "--values",
    valuesFile,
  ]);
  const kubeconfig = await cluster.kubeconfigFor(NAMESPACE, "snapshot-retainer-webhook");
  const replicas: Replica[] = [];
  async function startReplica(): Promise<Replica> {
    const [probePort = 0] = await findPorts(1);
    const replica = launch({ cluster, kubeconfig, port, probePort, number: replicas.length });
    replicas.push(replica);
    return replica;
  }
  await (await startReplica()).ready();
  return {
    values: valuesFile,
    replicas,
    startReplica,
    async applyPolicy(policy) {
      const document = { apiVersion: "snapshot-retainer.io/v1alpha1", kind: "RetentionPolicy", ...policy };
      await cluster.kubectl(["apply", "--server-side", "--force-conflicts", "-f", "-"], {
        stdin: configMap(JSON.stringify(document, null, 2)),
      });
    },
    async stop() {
      await Promise.all(replicas.map(async (replica) => replica.stop("SIGKILL")));
    },
  };
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

interface LaunchOptions {
  readonly cluster: Cluster;
  readonly kubeconfig: string;
  readonly port: number;
  readonly probePort: number;
  readonly number: number;
}

function launch({ cluster, kubeconfig, port, probePort, number }: LaunchOptions): Replica {
  const log = join(cluster.directory, "logs", `webhook-${port}-${number}.log`);
  const file = openSync(log, "a");
  const args = [
    ["--kubeconfig", kubeconfig],
    ["--namespace", NAMESPACE],
    ["--host", "127.0.0.1"],
    ["--port", String(port)],
    ["--probe-port", String(probePort)],
    ["--dns-name", "127.0.0.1"],
    ["--webhook-configuration", "snapshot-retainer"],
    ["--own-account", ACCOUNT],
    ["--drain-seconds", "0"],
  ].flat();
  const child = spawn(process.execPath, ["src/main.ts", "webhook", ...args], {
    stdio: ["ignore", file, file],
  });
  const probes = `http://127.0.0.1:${probePort}`;
  process.once("exit", () => child.kill("SIGKILL"));
  return {
    url: `https://127.0.0.1:${port}`,
    probes,
    log,
    process: child,
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

async function waitUntilReady(child: ChildProcess, probes: string, log: string): Promise<void> {
  let last = "no answer";
  const end = performance.now() + 30_000;
  while (performance.now() < end && child.exitCode === null) {
    const response = await fetch(`${probes}/readyz`).catch(() => undefined);
    if (response?.status === 200) {
      return;
    }
    last = response === undefined ? last : await response.text();
    await sleep(50);
  }
  const tail = readFileSync(log, "utf8").split("\n").slice(-20).join("\n");
  throw new Error(`the webhook did not become ready: ${last}\nend of its log, ${log}:\n${tail}`);
}
