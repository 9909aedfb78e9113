import { once } from "node:events";
import { startCluster } from "../cluster/cluster.ts";
import type { Cluster } from "../cluster/cluster.ts";
import type { ProgressOutput } from "../cluster/progress-printer.ts";
import { installProduct } from "../e2e/product.ts";
import { buildWhileTouring } from "./building.ts";
import { describeEnd, describeUse, INTRODUCTION } from "./prose.ts";
import type { Screen } from "./screen.ts";
import { setStage } from "./stage.ts";
import { readExampleValues } from "./steps/policy-file.ts";
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
  screen.title("Now for real: a Kubernetes control plane on this machine");
  screen.say("Its programs start as processes of their own, without containers, in about ten seconds.");
  const cluster = await startCluster({ binaries, signal });
  let isWorthKeeping = true;
  try {
    const running = AbortSignal.any([signal, cluster.failed]);
    screen.say(`Running: ${cluster.componentNames().join(", ")}.`);
    await playOn(cluster, { screen, keep, signal: running, startedAt });
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

async function playOn(cluster: Cluster, { screen, keep, signal, startedAt }: Play): Promise<void> {
  screen.command(
    "helm upgrade --install snapshot-retainer charts/snapshot-retainer --namespace snapshot-retainer --values values.json",
  );
  const product = await installProduct(cluster, { policy: await readExampleValues() });
  try {
    screen.output("The chart is installed with the policy of examples/policy.yaml, and the webhook answers.");
    screen.say("");
    screen.say("Below, - is what somebody sent to the API server and + is what it stored instead.");
    const stage = await setStage({ screen, cluster, steps: STEPS, signal });
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
