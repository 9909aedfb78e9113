import { setTimeout as delay } from "node:timers/promises";

import { buildBinaries, type Binaries } from "./build.ts";
import { ClusterNotStarted, startCluster, type Cluster } from "./cluster.ts";
import { GoMissing } from "./go.ts";
import type { BinarySet } from "./go-modules.ts";
import { createProgressPrinter } from "./progress-printer.ts";

async function run(args: readonly string[]): Promise<number> {
  const interrupted = untilInterrupted();
  try {
    switch (args.join(" ")) {
      case "build":
      case "build demo":
        return await build("demo", interrupted);
      case "build all":
        return await build("all", interrupted);
      case "start":
        return await start({ keep: false, interrupted });
      case "start --keep":
        return await start({ keep: true, interrupted });
      default:
        return complain(USAGE);
    }
  } catch (error) {
    if (interrupted.aborted) return complain("\nStopped.\n");
    if (error instanceof GoMissing || error instanceof ClusterNotStarted)
      return complain(`${error.message}\n`);
    throw error;
  }
}

async function build(set: BinarySet, interrupted: AbortSignal): Promise<number> {
  process.stdout.write(`${JSON.stringify(await binariesOf(set, interrupted), undefined, 2)}\n`);
  return 0;
}

async function start(how: { keep: boolean; interrupted: AbortSignal }): Promise<number> {
  const { keep, interrupted } = how;
  const binaries = await binariesOf("demo", interrupted);
  const cluster = await startCluster({ binaries, signal: interrupted });
  process.stdout.write(howToUse(cluster));
  await untilAborted(AbortSignal.any([interrupted, cluster.failed]));
  await cluster.stop({ keep });
  if (cluster.failed.aborted) return complain(`${String(cluster.failed.reason)}\n`);
  process.stdout.write(keep ? `Stopped. The logs are in ${cluster.directory}/logs\n` : "Stopped.\n");
  return 0;
}

async function binariesOf(set: BinarySet, signal: AbortSignal): Promise<Binaries> {
  return buildBinaries(set, { onProgress: createProgressPrinter(process.stderr), signal });
}

function untilInterrupted(): AbortSignal {
  const controller = new AbortController();
  for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => controller.abort());
  return controller.signal;
}

// Nothing else keeps Node running: the cluster's processes do not.
async function untilAborted(signal: AbortSignal): Promise<void> {
  while (!signal.aborted) await delay(A_MINUTE_MS, undefined, { signal }).catch(() => undefined);
}

function complain(text: string): number {
  process.stderr.write(text);
  return 1;
}

function howToUse(cluster: Cluster): string {
  return `A Kubernetes control plane is running at ${cluster.server}

  export KUBECONFIG=${cluster.kubeconfig}
  alias kubectl=${cluster.binaries.kubectl} helm=${cluster.binaries.helm}
  kubectl get storageclass,volumesnapshotclass

What the array of ${cluster.array.driver} holds: curl ${cluster.array.url}/state
Logs: ${cluster.directory}/logs
Ctrl-C ends it.
`;
}

const A_MINUTE_MS = 60_000;

const USAGE = `usage: main.ts build [demo|all]   builds the programs, and prints where they are
       main.ts start [--keep]     starts a control plane until Ctrl-C; --keep leaves its logs behind
`;

process.exitCode = await run(process.argv.slice(2));
