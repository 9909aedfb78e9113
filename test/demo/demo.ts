import { once } from "node:events";
import { startCluster } from "../cluster/cluster.ts";
import type { Cluster } from "../cluster/cluster.ts";
import { startVelero } from "../cluster/velero.ts";
import type { Velero } from "../cluster/velero.ts";
import type { ProgressOutput } from "../cluster/progress-printer.ts";
import { createApi } from "../e2e/api.ts";
import { createVolume } from "../e2e/real-velero.ts";
import { installProduct } from "../e2e/product.ts";
import { buildWhileTouring } from "./building.ts";
import { describeEnd, describeUse, INTRODUCTION } from "./prose.ts";
import type { Screen } from "./screen.ts";
import { setStage } from "./stage.ts";
import { ARRAY_LIMIT, POLICY, policyValues } from "./steps/policy-file.ts";
import { STEPS, tellStory } from "./story.ts";

/** How to show the demo. */
export interface DemoOptions {
  readonly screen: Screen;
  /** Where the progress of the build is shown. */
  readonly progress: ProgressOutput;
  /** Leaves the cluster up at the end, until the signal. */
  readonly keep: boolean;
  /** Gives up; everything that was started is ended. */
  readonly signal: AbortSignal;
}

/** Shows the product offline while the control plane is built, then at work on it; without Go only the former. */
export async function showDemo({ screen, progress, keep, signal }: DemoOptions): Promise<void> {
  const startedAt = performance.now();
  screen.say(INTRODUCTION);
  const binaries = await buildWhileTouring({ screen, progress, signal });
  if (binaries === undefined) return;
  screen.title("Now for real: Kubernetes and Velero on this machine");
  screen.say(
    "Their programs start as processes of their own, without containers, in about fifteen seconds. Two things only are not " +
      "real: the storage array keeps the books like a real one, but stores no data; and the Pods that copy data copy none.",
  );
  const drivers = [{ name: "array.csi.snapshot-retainer.io", limit: ARRAY_LIMIT }];
  const cluster = await startCluster({ binaries, drivers, signal });
  let isWorthKeeping = true;
  try {
    const velero = await startVelero(cluster, { signal });
    try {
      const running = AbortSignal.any([signal, cluster.failed, velero.failed]);
      screen.say(
        `Running: ${[...cluster.componentNames(), "velero server", "velero node-agent"].join(", ")}.`,
      );
      await playOn(cluster, velero, { screen, keep, signal: running, startedAt });
    } finally {
      await velero.stop();
    }
    isWorthKeeping = false;
  } catch (error) {
    isWorthKeeping = !signal.aborted;
    signal.throwIfAborted();
    cluster.failed.throwIfAborted();
    throw new Error(`The demo failed; its logs are in ${cluster.directory}/logs`, { cause: error });
  } finally {
    await cluster.stop({ keep: isWorthKeeping });
  }
}

interface Play {
  readonly screen: Screen;
  readonly keep: boolean;
  readonly signal: AbortSignal;
  readonly startedAt: number;
}

/** An application with one volume. */
const SHOP = { namespace: "prod-shop", name: "data", labels: { app: "shop", tier: "gold" } };

async function playOn(cluster: Cluster, velero: Velero, play: Play): Promise<void> {
  const { screen, keep, signal, startedAt } = play;
  const api = await createApi(cluster);
  const shop = await createVolume(api, SHOP);
  screen.command(
    "helm upgrade --install snapshot-retainer charts/snapshot-retainer --namespace snapshot-retainer --values values.json",
  );
  const product = await installProduct(cluster, { policy: policyValues() });
  try {
    await (await product.startController()).ready();
    screen.output(
      "The chart is installed with the policy below; its webhook answers, and its controller acts.",
    );
    screen.print(`\n${indented(POLICY)}`);
    screen.say("\nBelow, - is what somebody sent to the API server and + is what it stored instead.");
    const stage = await setStage({ screen, cluster, velero, api, shop, steps: STEPS, signal });
    await tellStory(stage);
    screen.say(describeEnd({ steps: STEPS, seconds: (performance.now() - startedAt) / 1000, keep }));
    if (keep) {
      screen.print(describeUse(cluster, stage.files));
      // What stands in for a Service keeps this process alive, and ends with it.
      if (!signal.aborted) await once(signal, "abort");
    }
  } finally {
    await product.stop();
  }
}

function indented(text: string): string {
  return text.replaceAll(/^(?=.)/gm, "  ");
}
