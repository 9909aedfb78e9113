import { setTimeout as sleep } from "node:timers/promises";
import { readMetric } from "../../e2e/metrics.ts";
import type { Process, Product } from "../../e2e/product.ts";
import { CONTROLLER_OPTIONS, IMAGE, untilReady } from "../image.ts";
import { usageOf } from "../process-usage.ts";
import { readBy, SETTLE_MS } from "./programs.ts";
import type { Synced } from "./programs.ts";

/** Our controller, running. */
export interface Controller {
  readonly running: Process;
  readonly pid: number;
  /** When it was in sync. */
  readonly synced: Synced;
  /** Seconds from its start to its first decision. */
  readonly decided: number;
}

/** Asking takes the controller's time: not worth it more often for what takes seconds, and a metric costs more than a probe. */
const READY_POLL_MS = 25;
const METRIC_POLL_MS = 100;

/** Starts it bundled, as its ServiceAccount and with the options of the chart, and resolves when it has decided once. */
export async function startOurs(product: Product): Promise<Controller> {
  const running = await product.startController({ program: IMAGE, nodeFlags: CONTROLLER_OPTIONS });
  const pid = running.process.pid ?? 0;
  const seconds = (await untilReady(running, READY_POLL_MS)) / 1000;
  const { cpuSeconds } = await usageOf(pid);
  while ((await readMetric([running], "snapshot_retainer_last_plan_timestamp_seconds")) === 0) {
    await sleep(METRIC_POLL_MS);
  }
  const decided = (performance.now() - running.started) / 1000;
  await sleep(SETTLE_MS);
  const { rssMiB } = await usageOf(pid);
  return { running, pid, synced: { seconds, rssMiB, cpuSeconds, readMiB: await readBy(pid) }, decided };
}
