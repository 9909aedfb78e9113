import { fork } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import * as z from "zod";
import { aHeld, someKeys } from "../certs/pair.ts";

const Usage = z.object({ cpuSeconds: z.number(), rssMiB: z.number(), blockedMs: z.number() });
type Usage = z.infer<typeof Usage>;

/** A server in a process of its own. */
export interface Server {
  readonly name: string;
  readonly port: number;
  /** What it has used since it started, and how long its event loop was blocked at most since it was watched. */
  usage(): Promise<Usage>;
  /** From now on until it is asked for its usage, its event loop is watched. */
  watch(): Promise<void>;
  stop(): void;
}

/** Of the image's entry point. */
const OPTIONS = [
  "--max-semi-space-size=4",
  "--no-parallel-scavenge",
  "--initial-old-space-size=20",
  "--heap-growing-percent=40",
];

/** Starts a server by the name that server.ts knows. */
export async function startServer(name: string): Promise<Server> {
  // Bundled as the image's program is; the log goes where the kernel drops it.
  const child = fork(new URL("server.js", import.meta.url), [name], {
    stdio: ["ignore", "ignore", "ignore", "ipc"],
    execArgv: OPTIONS,
  });
  const { cert, key } = aHeld(await someKeys(), { names: ["127.0.0.1"], now: new Date() });
  child.send({ cert, key });
  const { port } = z.object({ port: z.number() }).parse(await nextMessage(child));
  return {
    name,
    port,
    usage: async () => ask(child, "usage"),
    watch: async () => {
      await ask(child, "watch");
    },
    stop: () => child.kill(),
  };
}

async function nextMessage(child: ChildProcess): Promise<unknown> {
  const [message] = z.array(z.unknown()).parse(await once(child, "message"));
  return message;
}

async function ask(child: ChildProcess, question: string): Promise<Usage> {
  const answer = nextMessage(child);
  child.send(question);
  return Usage.parse(await answer);
}
