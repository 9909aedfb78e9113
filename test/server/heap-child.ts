import { once } from "node:events";
import { randomUUID } from "node:crypto";
import { createServer } from "node:https";
import { setTimeout as sleep } from "node:timers/promises";
import { createLog } from "../../src/log.ts";
import { createMetrics } from "../../src/metrics.ts";
import { createApp } from "../../src/server/app.ts";
import { portOf } from "../../src/server/listen.ts";
import { createReport } from "../../src/server/report.ts";
import { aContext } from "../builders/context.ts";
import { pair } from "../builders/tls-server.ts";

/**
 * The product's application, with metrics and a log line a request, in a process of its own that was started with --expose-gc.
 * It tells its port over IPC, and answers each message after that with what it keeps.
 */
const metrics = createMetrics();
const report = createReport({
  metrics,
  // Written, and thrown away.
  log: createLog("info"),
  events: { record: () => undefined },
});
const app = createApp({
  context: () => aContext({ randomId: randomUUID }),
  policyKey: "policy.yaml",
  deadlineMs: 3_300,
  onAnswered: (answered) => report.answered(answered),
  clock: () => performance.now() / 1000,
  onError: () => undefined,
});
const server = createServer({ cert: pair.cert, key: pair.key }, app);
server.listen(0, "127.0.0.1");
await once(server, "listening");
process.on("message", () => void tell());
process.send?.({ port: portOf(server) });

async function tell(): Promise<void> {
  const text = await metrics.registry.metrics();
  const series = text.split("\n").filter((line) => line.startsWith("snapshot_retainer_")).length;
  process.send?.({ heap: await settledHeap(), series });
}

/** Closed connections and compiled code go in the background: the heap when it shrinks no more. */
async function settledHeap(): Promise<number> {
  let least = Infinity;
  for (let unchanged = 0; unchanged < 3;) {
    await sleep(50);
    globalThis.gc?.();
    const { heapUsed } = process.memoryUsage();
    unchanged = heapUsed < least - 10_000 ? 0 : unchanged + 1;
    least = Math.min(least, heapUsed);
  }
  return least;
}
