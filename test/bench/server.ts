import { once } from "node:events";
import { createServer } from "node:https";
import type { AddressInfo } from "node:net";
import type { RequestListener } from "node:http";
import * as z from "zod";

/**
 * One server in a process of its own, `server.js bare|ours|undecided|unreported`. It gets its certificate and tells its port over IPC, and
 * answers each message after that with what it has used since it started.
 */
const Pair = z.tuple([z.object({ cert: z.string(), key: z.string() })]).rest(z.unknown());
const [pair] = Pair.parse(await once(process, "message"));
// Neither process carries the other's code.
const name = process.argv[2];
const listener: RequestListener =
  name === "bare"
    ? (await import("./bare.ts")).answerBare
    : (await import("./ours.ts")).createOurs({
        decided: name !== "undecided",
        reported: name !== "unreported",
      });
const server = createServer({ ...pair, keepAliveTimeout: 120_000 }, listener);
server.listen(0, "127.0.0.1");
await once(server, "listening");
process.on("message", () => {
  const { user, system } = process.cpuUsage();
  process.send?.({ cpuSeconds: (user + system) / 1e6, rssMiB: process.memoryUsage.rss() / 2 ** 20 });
});
process.send?.({ port: portOf(server.address()) });

function portOf(address: AddressInfo | string | null): number {
  return typeof address === "object" && address !== null ? address.port : 0;
}
