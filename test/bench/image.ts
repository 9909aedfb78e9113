import { setTimeout as sleep } from "node:timers/promises";
import type { Process } from "../e2e/product.ts";

/** The image's program, by `npm run image`. */
export const IMAGE = "dist/image/main.js";

/** Node's options of the image's entry point, which the webhook runs with. */
export const WEBHOOK_OPTIONS = [
  "--max-semi-space-size=4",
  "--no-parallel-scavenge",
  "--initial-old-space-size=20",
  "--heap-growing-percent=40",
];

/** Those that the chart gives the controller. */
export const CONTROLLER_OPTIONS = [
  "--max-semi-space-size=4",
  "--no-parallel-scavenge",
  "--optimize-for-size",
];

/** Of a start, which takes a few hundred milliseconds. */
const POLL_MS = 5;

/** Resolves with how long it took from its start to ready, in milliseconds; asking takes time of both processes. */
export async function untilReady(
  { probes, process, started, log }: Process,
  pollMs = POLL_MS,
): Promise<number> {
  while (process.exitCode === null) {
    const answer = await fetch(`${probes}/readyz`).catch(() => undefined);
    if (answer?.status === 200) return performance.now() - started;
    await sleep(pollMs);
  }
  throw new Error(`the program ended before it was ready; its log is ${log}`);
}
