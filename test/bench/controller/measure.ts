import { open, stat } from "node:fs/promises";
import { setTimeout as sleep } from "node:timers/promises";
import { KubeConfig } from "@kubernetes/client-node";
import { createRest } from "../../../src/kube/rest.ts";
import type { Rest } from "../../../src/kube/rest.ts";
import type { Cluster } from "../../cluster/cluster.ts";
import { readMetric } from "../../e2e/metrics.ts";
import { configMap, CONTROLLER_ACCOUNT, installProduct, NAMESPACE } from "../../e2e/product.ts";
import type { Product } from "../../e2e/product.ts";
import { startApiServer } from "../api-server-alone.ts";
import { figure, print } from "../figures.ts";
import { usageOf } from "../process-usage.ts";
import type { Report } from "../report.ts";
import { createEtcd } from "./etcd.ts";
import { startOurs } from "./ours.ts";
import type { Controller } from "./ours.ts";
import { KEY, populate } from "./populate.ts";
import { othersOf, sync } from "./programs.ts";
import type { Synced } from "./programs.ts";
import { aloneTable, scaleTable, syncTable, targetsTable } from "./tables.ts";
import type { AtSize } from "./tables.ts";

/** How much to measure. */
export interface ControllerEffort {
  /** Volumes, ten retained snapshots each. */
  readonly sizes: readonly number[];
  /** How often everybody reads them. */
  readonly rounds: number;
  readonly restSeconds: number;
}

const SNAPSHOTS_EACH = 10;
const CHANGES = 3;
const LIMIT = 20;

/** What the controller costs in clusters of some sizes, beside what others would build one on. */
export async function measureController(
  { sizes, rounds, restSeconds }: ControllerEffort,
  programs: string,
  report: Report,
): Promise<AtSize[]> {
  // Its other components would look for the snapshots on an array that never took them, or bind thousands of claims meanwhile.
  const cluster = await startApiServer();
  try {
    const { rest, product } = await prepare(cluster);
    const measured: AtSize[] = [];
    let made = 0;
    const place = { rest, etcd: createEtcd(cluster.etcd) };
    for (const [index, volumes] of sizes.entries()) {
      await populate(place, { volumes, snapshotsEach: SNAPSHOTS_EACH }, made, print);
      made = volumes;
      print(`reading ${(volumes * SNAPSHOTS_EACH).toLocaleString("en")} snapshots, in ${rounds} rounds`);
      const { controller, ...synced } = await syncAll({ cluster, product, programs }, rounds);
      const ofOurs = await alone(cluster, { controller, rest, restSeconds });
      if (index === 0) report.lines("prune", [await prune(cluster, controller, volumes)]);
      if (index === sizes.length - 1) report.lines("restart", [await restartApiServer(cluster, controller)]);
      await controller.running.stop();
      measured.push({ snapshots: volumes * SNAPSHOTS_EACH, ...ofOurs, ...synced });
    }
    await report.table("controller", "reading everything", syncTable(measured));
    await report.table("controller-alone", "of ours alone", aloneTable(measured, restSeconds));
    await report.table("scale", "and beyond", scaleTable(measured));
    await report.table("controller-targets", "targets", targetsTable(measured));
    return measured;
  } finally {
    await cluster.stop();
  }
}

async function prepare(cluster: Cluster): Promise<{ readonly rest: Rest; readonly product: Product }> {
  for (const name of [NAMESPACE, "shop"]) await cluster.kubectl(["create", "namespace", name]);
  const key = `--from-literal=key=${KEY.toString("latin1")}`;
  const secret = ["secret", "generic", "-n", NAMESPACE, "snapshot-retainer-signing-key", key];
  await cluster.kubectl(["create", ...secret]);
  const kubeConfig = new KubeConfig();
  kubeConfig.loadFromFile(cluster.kubeconfig);
  const drivers = { "array.csi.snapshot-retainer.io": 100 };
  const product = await installProduct(cluster, {
    policy: { snapshotsToRetain: LIMIT, ceilings: { drivers } },
  });
  await product.stop();
  // Nobody answers them, and each object that is made would have to find that out.
  const configurations = "mutatingwebhookconfiguration,validatingwebhookconfiguration";
  await cluster.kubectl(["delete", configurations, "snapshot-retainer"]);
  return { rest: createRest(kubeConfig), product };
}

const [FLOOR, OURS] = ["bare watch", "ours"];

/** Everybody reads everything, in turns; gives the last controller, still running. */
async function syncAll(
  {
    cluster,
    product,
    programs,
  }: { readonly cluster: Cluster; readonly product: Product; readonly programs: string },
  rounds: number,
): Promise<Pick<AtSize, "objects" | "programs" | "decided"> & { readonly controller: Controller }> {
  const others = await othersOf(cluster, programs);
  // Before the others: what the API server and the system keep is warm after it.
  const { objects, ...floor } = await sync(others.floor);
  const measured = new Map<string, Synced[]>([
    [FLOOR, [floor]],
    ...[...others.peers.keys(), OURS].map((name): [string, Synced[]] => [name, []]),
  ]);
  const decided: number[] = [];
  let controller: Controller | undefined;
  for (let round = 0; round < rounds; round += 1) {
    await controller?.running.stop();
    for (const [name, command] of others.peers) measured.get(name)?.push(await sync(command));
    controller = await startOurs(product);
    measured.get(OURS)?.push(controller.synced);
    decided.push(controller.decided);
  }
  if (controller === undefined) throw new Error("there has to be a round");
  return { objects, programs: measured, decided, controller };
}

/** At rest, and after single changes, each of which is planned for as a change of the whole world. */
async function alone(
  cluster: Cluster,
  {
    controller,
    rest,
    restSeconds,
  }: { readonly controller: Controller; readonly rest: Rest; readonly restSeconds: number },
): Promise<Pick<AtSize, "restPercent" | "restReads" | "planMs" | "reactions">> {
  const before = await usageOf(controller.pid);
  const reads = await readsSince(cluster, async () => sleep(restSeconds * 1000));
  const after = await usageOf(controller.pid);
  const restPercent = ((after.cpuSeconds - before.cpuSeconds) / restSeconds) * 100;
  const plans = await plansOf(controller);
  const reactions: number[] = [];
  for (let change = 0; change < CHANGES; change++) reactions.push(await react(controller, rest, change));
  const now = await plansOf(controller);
  const planMs = ((now.seconds - plans.seconds) / (now.count - plans.count)) * 1000;
  return { restPercent, restReads: reads.length, planMs, reactions };
}

async function plansOf(
  controller: Controller,
): Promise<{ readonly count: number; readonly seconds: number }> {
  const name = "snapshot_retainer_plan_duration_seconds";
  return {
    count: await readMetric([controller.running], `${name}_count`),
    seconds: await readMetric([controller.running], `${name}_sum`),
  };
}

/** Milliseconds from a change on to a plan that knows of it. */
async function react(controller: Controller, rest: Rest, change: number): Promise<number> {
  const { count } = await plansOf(controller);
  const begun = performance.now();
  const path = `/api/v1/namespaces/shop/persistentvolumeclaims/data-${change}`;
  const body = { metadata: { labels: { change: String(performance.now()) } } };
  await rest.call("PATCH", path, { contentType: "application/merge-patch+json", body });
  while ((await plansOf(controller)).count === count) await sleep(10);
  return performance.now() - begun;
}

/** Each volume gives one snapshot, through the real sidecar: how fast we ask, and how fast it goes. */
async function prune(cluster: Cluster, controller: Controller, volumes: number): Promise<string> {
  for (const name of STORAGE) await cluster.startComponent(name);
  // It looks at every content once; with these it has nothing to do.
  await sleep(5_000);
  const begun = performance.now();
  async function seconds(isDone: () => Promise<boolean>): Promise<string> {
    while (!(await isDone())) {
      if (performance.now() - begun > PRUNED_WITHIN_MS) return "never";
      await sleep(50);
    }
    return `${((performance.now() - begun) / 1000).toFixed(1)} s`;
  }
  await setLimit(cluster, SNAPSHOTS_EACH - 1);
  const asked = await seconds(
    async () => (await readMetric([controller.running], "snapshot_retainer_frees_total")) >= volumes,
  );
  const gone = await seconds(
    async () =>
      (await readMetric([controller.running], "snapshot_retainer_retained_snapshots")) <=
      volumes * (SNAPSHOTS_EACH - 1),
  );
  await setLimit(cluster, LIMIT);
  for (const name of STORAGE) await cluster.stopComponent(name);
  return `${figure(volumes)} volumes at their limit give one snapshot each: all are asked for after ${asked}, deleted by the sidecar after ${gone}`;
}

const STORAGE = ["csi-plugin", "csi-snapshotter"];
const PRUNED_WITHIN_MS = 120_000;

async function setLimit(cluster: Cluster, snapshotsToRetain: number): Promise<void> {
  const policy = {
    apiVersion: "snapshot-retainer.io/v1alpha1",
    kind: "RetentionPolicy",
    snapshotsToRetain,
    // What is measured is how fast it could go; usually the policy keeps it at 60.
    deletionsPerMinute: 100_000,
    ceilings: { drivers: { "array.csi.snapshot-retainer.io": 100 } },
  };
  const applied = ["apply", "--server-side", "--force-conflicts", "-f", "-"];
  await cluster.kubectl(applied, { stdin: configMap(JSON.stringify(policy)) });
}

/** Its memory of what changed begins anew, so that watches expire (410), and each collection has to be listed once more. */
async function restartApiServer(cluster: Cluster, controller: Controller): Promise<string> {
  const before = await usageOf(controller.pid);
  const reads = await readsSince(cluster, async () => {
    await cluster.startComponent("kube-apiserver");
    await sleep(15_000);
  });
  const beginnings = reads.filter((line) => line.includes("sendInitialEvents"));
  const after = await usageOf(controller.pid);
  return `the API server is restarted: ${beginnings.length} watches begun from everything in the 15 s after it, ${reads.length - beginnings.length} other reads; ${figure(before.rssMiB)} MiB before, ${figure(after.rssMiB)} after`;
}

/** Objects and lists that the API server read for the controller meanwhile. */
async function readsSince({ auditLog }: Cluster, action: () => Promise<void>): Promise<string[]> {
  const { size } = await stat(auditLog);
  await action();
  const file = await open(auditLog);
  try {
    const { size: now } = await file.stat();
    // The API server begins a new file after 100 MB.
    const position = now < size ? 0 : size;
    const { buffer } = await file.read({ buffer: Buffer.alloc(now - position), position });
    return buffer
      .toString()
      .split("\n")
      .filter((line) => line.includes(`"username":"${CONTROLLER_ACCOUNT}"`))
      .filter(
        (line) =>
          (/"verb":"(get|list)"/.test(line) && line.includes('"stage":"ResponseComplete"')) ||
          (line.includes("sendInitialEvents") && line.includes('"stage":"ResponseStarted"')),
      );
  } finally {
    await file.close();
  }
}
