import { once } from "node:events";
import { createServer } from "node:https";
import type { AddressInfo } from "node:net";
import type { RequestListener } from "node:http";
import { constants, monitorEventLoopDelay, PerformanceObserver } from "node:perf_hooks";
import { createServer as createTlsServer } from "node:tls";
import * as z from "zod";
import { timed } from "./stages.ts";

/**
 * One server in a process of its own, `server.js bare|slowed|laden|floor|ours|roomy|"of RSA"|undecided|unreported`. It gets its certificate and tells its
 * port over IPC, and answers each message after that with what it has used since it started; since it was told "loop",
 * how long its event loop was blocked at most, and how often and for how many milliseconds V8 collected all garbage; and since it
 * was told "stages", where a request's time went, and for how many milliseconds any garbage was collected.
 */
const Pair = z.tuple([z.object({ cert: z.string(), key: z.string() })]).rest(z.unknown());
const [pair] = Pair.parse(await once(process, "message"));
/** All that are a bare handler, and nothing of ours. */
const BARE = ["bare", "slowed", "laden", "floor"];
const [, , name] = process.argv;
const stages = timed(await listenerOf(name), () => performance.now());
const server =
  name === "floor"
    ? createTlsServer(pair, (await import("./bare.ts")).answerOnFloor)
    : createServer({ ...pair, keepAliveTimeout: 120_000 }, stages.listener);
server.listen(0, "127.0.0.1");
await once(server, "listening");
const Gc = z.object({ duration: z.number(), detail: z.object({ kind: z.number() }) });
/** Milliseconds between two looks at the event loop, which are part of what is measured. */
const RESOLUTION = 1;
const delay = monitorEventLoopDelay({ resolution: RESOLUTION });
const collected: number[] = [];
let collectedMs = 0;
const collections = new PerformanceObserver((list) => {
  for (const entry of list.getEntries()) {
    const { duration, detail } = Gc.parse(entry);
    collectedMs += duration;
    if (detail.kind === constants.NODE_PERFORMANCE_GC_MAJOR) collected.push(duration);
  }
});
process.on("message", (message) => {
  const { user, system } = process.cpuUsage();
  process.send?.({
    cpuSeconds: (user + system) / 1e6,
    kernelSeconds: system / 1e6,
    rssMiB: process.memoryUsage.rss() / 2 ** 20,
    blockedMs: Math.max(0, delay.max / 1e6 - RESOLUTION),
    collections: collected.length,
    collectionsMs: collected.reduce((sum, ms) => sum + ms, 0),
    collectedMs,
    stages: stages.end(),
  });
  collections.disconnect();
  collected.length = 0;
  collectedMs = 0;
  delay.disable();
  delay.reset();
  // Looking a thousand times a second costs processor time: only where it is asked for.
  if (message === "loop") delay.enable();
  if (message === "stages") stages.start();
  if (message !== "usage") collections.observe({ entryTypes: ["gc"] });
});
process.send?.({ port: portOf(server.address()) });

/** Neither process carries the other's code. */
async function listenerOf(name: string | undefined): Promise<RequestListener> {
  if (name !== undefined && BARE.includes(name)) {
    const { answerBare, answerSlowed, load } = await import("./bare.ts");
    if (name === "laden") load();
    return name === "slowed" ? answerSlowed : answerBare;
  }
  const { createOurs } = await import("./ours.ts");
  return createOurs({ decided: name !== "undecided", reported: name !== "unreported" });
}

function portOf(address: AddressInfo | string | null): number {
  return typeof address === "object" && address !== null ? address.port : 0;
}
