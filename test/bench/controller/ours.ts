import { spawn } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { openSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { Cluster } from "../../cluster/cluster.ts";
import { findPorts } from "../../cluster/ports.ts";
import { NAMESPACE } from "../../e2e/product.ts";
import { usageOf } from "../process-usage.ts";
import { readBy } from "./programs.ts";
import type { Synced } from "./programs.ts";

/** Our controller, running. */
export interface Controller {
  readonly pid: number;
  /** When it was in sync. */
  readonly synced: Synced;
  /** Seconds from its start to its first decision. */
  readonly decided: number;
  metric(name: string): Promise<number>;
  stop(): Promise<void>;
}

/** Of the chart. */
const OPTIONS = ["--max-semi-space-size=4", "--no-parallel-scavenge", "--optimize-for-size"];
const POLL_MS = 10;
const SETTLE_MS = 3_000;

/** Starts it bundled, as its ServiceAccount and with the options of the chart, and resolves when it has decided once. */
export async function startOurs(cluster: Cluster, objects: number): Promise<Controller> {
  const [probePort = 0] = await findPorts(1);
  const kubeconfig = await cluster.kubeconfigFor(NAMESPACE, "snapshot-retainer-controller");
  const log = openSync(join(cluster.directory, "logs", "controller.log"), "a");
  const flags = [
    `--kubeconfig=${kubeconfig}`,
    `--namespace=${NAMESPACE}`,
    "--host=127.0.0.1",
    `--probe-port=${probePort}`,
    "--canary-every=off",
  ];
  const begun = performance.now();
  const child = spawn(process.execPath, [...OPTIONS, "dist/image/main.js", "controller", ...flags], {
    stdio: ["ignore", log, log],
  });
  const pid = child.pid ?? 0;
  const probes = `http://127.0.0.1:${probePort}`;
  async function metric(name: string): Promise<number> {
    const text = await textOf(`${probes}/metrics`);
    const samples = text.matchAll(new RegExp(`^${name}(?:\\{.*\\})? (\\S+)$`, "gm"));
    return [...samples].reduce((sum, [, value]) => sum + Number(value), 0);
  }
  await until(child, async () => (await textOf(`${probes}/readyz`)) === "ok\n");
  const seconds = (performance.now() - begun) / 1000;
  const { cpuSeconds } = await usageOf(pid);
  await until(child, async () => (await metric("snapshot_retainer_last_plan_timestamp_seconds")) > 0);
  const decided = (performance.now() - begun) / 1000;
  await sleep(SETTLE_MS);
  const { rssMiB } = await usageOf(pid);
  return {
    pid,
    synced: { objects, seconds, rssMiB, cpuSeconds, readMiB: await readBy(pid) },
    decided,
    metric,
    async stop() {
      child.kill("SIGKILL");
      await once(child, "exit");
      // Otherwise the next one waits for the Lease of this one.
      const lease = ["lease", "snapshot-retainer-controller", "--namespace", NAMESPACE];
      await cluster.kubectl(["delete", ...lease, "--ignore-not-found"]);
    },
  };
}

async function until(child: ChildProcess, condition: () => Promise<boolean>): Promise<void> {
  while (!(await condition())) {
    if (child.exitCode !== null)
      throw new Error("the controller ended; its log is in the cluster's directory");
    await sleep(POLL_MS);
  }
}

async function textOf(url: string): Promise<string> {
  return fetch(url).then(
    async (response) => response.text(),
    () => "",
  );
}
