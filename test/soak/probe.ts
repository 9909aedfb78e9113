import { appendFileSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { monitorEventLoopDelay } from "node:perf_hooks";
import { setTimeout as sleep } from "node:timers/promises";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import * as z from "zod";

/**
 * Loaded into a process of the product by `--import`: on SIGUSR2 it writes down what the process keeps, one line of JSON, into the
 * directory that the environment names. The product itself knows nothing of it.
 */
setFlagsFromString("--expose-gc");
const collect = z.function({ input: [], output: z.unknown() }).parse(runInNewContext("gc"));
const delay = monitorEventLoopDelay({ resolution: 10 });
delay.enable();
process.on("SIGUSR2", () => void tell());

async function tell(): Promise<void> {
  // Collecting blocks the event loop itself: what was measured before counts.
  const lag = { lagMs: delay.max / 1e6, lagP99Ms: delay.percentile(99) / 1e6 };
  for (let round = 0; round < 2; round++) {
    collect();
    await sleep(50);
  }
  const line = {
    heap: process.memoryUsage().heapUsed,
    rss: process.memoryUsage.rss(),
    files: readdirSync("/proc/self/fd").length,
    timers: process.getActiveResourcesInfo().filter((kind) => kind === "Timeout").length,
    ...lag,
  };
  appendFileSync(
    join(process.env["SOAK_DIRECTORY"] ?? ".", `${process.pid}.jsonl`),
    `${JSON.stringify(line)}\n`,
  );
  delay.reset();
}
