import { execFile, spawn } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { openSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { promisify } from "node:util";
import { KubeConfig } from "@kubernetes/client-node";
import * as z from "zod";
import { createRest } from "../../../src/kube/rest.ts";
import { startCluster } from "../../cluster/cluster.ts";
import type { Cluster } from "../../cluster/cluster.ts";
import { findPorts } from "../../cluster/ports.ts";
import { installProduct, NAMESPACE } from "../../e2e/product.ts";
import { KEY, populate } from "./populate.ts";

/**
 * npm run bench:controller: what the controller costs in a cluster with many retained snapshots, beside a bare list of the
 * same objects. `-- quick` makes a tenth of them.
 */
const QUICK = process.argv.includes("quick");
const SIZE = { volumes: QUICK ? 100 : 1_000, snapshotsEach: 10 };
const STEADY_SECONDS = QUICK ? 20 : 60;
const ACCOUNT = `system:serviceaccount:${NAMESPACE}:snapshot-retainer-controller`;

const Kubeconfig = z.object({ users: z.tuple([z.object({ user: z.object({ token: z.string() }) })]) });
const Listed = z.object({ objects: z.number(), seconds: z.number(), rssMiB: z.number() });

const cluster = await startCluster();
try {
  await prepare();
  print(await bareList());
  await measureController();
} finally {
  await cluster.stop({ keep: process.env["KEEP"] === "1" });
}

async function prepare(): Promise<void> {
  // They would look for these snapshots on an array that never took them.
  for (const name of ["snapshot-controller", "csi-snapshotter", "csi-provisioner"]) {
    await cluster.stopComponent(name);
  }
  for (const name of [NAMESPACE, "shop"]) await cluster.kubectl(["create", "namespace", name]);
  const key = `--from-literal=key=${KEY.toString("latin1")}`;
  await cluster.kubectl([
    "create",
    "secret",
    "generic",
    "-n",
    NAMESPACE,
    "snapshot-retainer-signing-key",
    key,
  ]);
  const kubeConfig = new KubeConfig();
  kubeConfig.loadFromFile(cluster.kubeconfig);
  await populate(createRest(kubeConfig), SIZE, print);
  const drivers = { "array.csi.snapshot-retainer.io": 100 };
  const product = await installProduct(cluster, { policy: { snapshotsToRetain: 20, ceilings: { drivers } } });
  await product.stop();
}

/** In rounds, the median told: the first one warms the API server's own caches. */
async function bareList(): Promise<string> {
  const rounds: z.infer<typeof Listed>[] = [];
  const { users } = Kubeconfig.parse(JSON.parse(await readFile(cluster.kubeconfig, "utf8")));
  const [
    {
      user: { token },
    },
  ] = users;
  for (let round = 0; round < 4; round++) {
    const { stdout } = await promisify(execFile)(process.execPath, [
      "dist/bench/list.js",
      cluster.server,
      cluster.caFile,
      token,
    ]);
    rounds.push(Listed.parse(JSON.parse(stdout)));
  }
  const [, middle] = rounds.slice(1).toSorted((a, b) => a.seconds - b.seconds);
  const { objects = 0, seconds = 0, rssMiB = 0 } = middle ?? {};
  return `bare list of ${objects} objects: ${seconds.toFixed(2)} s, ${rssMiB.toFixed(0)} MiB`;
}

interface Sample {
  readonly rssMiB: number;
  readonly plans: number;
  readonly planSeconds: number;
}

async function measureController(): Promise<void> {
  const { child, probes, started } = await startController(cluster);
  try {
    const first = await firstPlan(probes, child);
    print(`controller: first plan ${((first - started) / 1000).toFixed(2)} s after its start`);
    await sleep(5_000);
    const before = await sample(probes, child);
    print(
      `${before.plans} plans, ${((before.planSeconds / before.plans) * 1000).toFixed(1)} ms each; ${mib(before)}`,
    );
    const reads = await countReads(cluster);
    await sleep(STEADY_SECONDS * 1000);
    const after = (await countReads(cluster)) - reads;
    print(
      `${STEADY_SECONDS} s without a change: ${after} objects or lists read; ${mib(await sample(probes, child))}`,
    );
    await changes(probes, child);
  } finally {
    child.kill("SIGKILL");
    await once(child, "exit");
  }
}

/** Changes of single objects, each of which is planned for as a change of the whole world. */
async function changes(probes: string, child: ChildProcess): Promise<void> {
  const before = await sample(probes, child);
  for (let change = 0; change < 20; change++) {
    await cluster.kubectl(["label", "pvc", "-n", "shop", `data-${change}`, `change=${change}`]);
    await sleep(100);
  }
  const after = await sample(probes, child);
  const plans = after.plans - before.plans;
  const each = ((after.planSeconds - before.planSeconds) / plans) * 1000;
  print(
    `20 changes of a claim: ${plans} plans of the whole world, ${each.toFixed(1)} ms each; ${mib(after)}`,
  );
}

async function startController(cluster: Cluster): Promise<{
  child: ChildProcess;
  probes: string;
  started: number;
}> {
  const [probePort = 0] = await findPorts(1);
  const kubeconfig = await cluster.kubeconfigFor(NAMESPACE, "snapshot-retainer-controller");
  const log = openSync(join(cluster.directory, "logs", "controller.log"), "a");
  const started = performance.now();
  // Compiled, and with the options of the chart.
  const child = spawn(
    process.execPath,
    [
      "--max-semi-space-size=4",
      "--no-parallel-scavenge",
      "--optimize-for-size",
      "dist/image/main.js",
      "controller",
      `--kubeconfig=${kubeconfig}`,
      `--namespace=${NAMESPACE}`,
      "--host=127.0.0.1",
      `--probe-port=${probePort}`,
    ],
    { stdio: ["ignore", log, log] },
  );
  return { child, probes: `http://127.0.0.1:${probePort}`, started };
}

async function firstPlan(probes: string, child: ChildProcess): Promise<number> {
  while (child.exitCode === null) {
    const metrics = await readMetrics(probes);
    if ((metrics.get("snapshot_retainer_last_plan_timestamp_seconds") ?? 0) > 0) return performance.now();
    await sleep(20);
  }
  throw new Error("the controller ended; its log is in the cluster's directory");
}

async function sample(probes: string, child: ChildProcess): Promise<Sample> {
  const metrics = await readMetrics(probes);
  const status = await readFile(`/proc/${child.pid ?? 0}/status`, "utf8");
  return {
    rssMiB: Number(/VmRSS:\s+(\d+) kB/.exec(status)?.[1]) / 1024,
    plans: metrics.get("snapshot_retainer_plan_duration_seconds_count") ?? 0,
    planSeconds: metrics.get("snapshot_retainer_plan_duration_seconds_sum") ?? 0,
  };
}

async function readMetrics(probes: string): Promise<Map<string, number>> {
  const text = await fetch(`${probes}/metrics`).then(
    async (response) => response.text(),
    () => "",
  );
  return new Map(
    text.split("\n").flatMap((line) => {
      const [, name, value] = /^(\w+) (\S+)$/.exec(line) ?? [];
      return name === undefined ? [] : [[name, Number(value)] as const];
    }),
  );
}

/** Objects and lists that the API server has read for the controller's account. */
async function countReads({ auditLog }: Cluster): Promise<number> {
  const lines = (await readFile(auditLog, "utf8")).split("\n");
  const reads = ['"verb":"get"', '"verb":"list"'];
  return lines.filter(
    (line) => line.includes(`"username":"${ACCOUNT}"`) && reads.some((verb) => line.includes(verb)),
  ).length;
}

function mib({ rssMiB }: Sample): string {
  return `${rssMiB.toFixed(0)} MiB`;
}

function print(line: string): void {
  process.stdout.write(`${line}\n`);
}
