import { fork } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import * as z from "zod";
import { aHeld, someKeys } from "../certs/pair.ts";

const Usage = z.object({ cpuSeconds: z.number(), rssMiB: z.number() });
type Usage = z.infer<typeof Usage>;

/** A server in a process of its own. */
export interface Server {
  readonly name: string;
  readonly port: number;
  /** What it has used since it started. */
  usage(): Promise<Usage>;
  stop(): void;
}

/** Starts a server by the name that server.ts knows. */
export async function startServer(name: string): Promise<Server> {
  // Compiled, and with the options of the image's entry point; the log goes where the kernel drops it.
  const child = fork(new URL("server.js", import.meta.url), [name], {
    stdio: ["ignore", "ignore", "ignore", "ipc"],
    execArgv: ["--max-semi-space-size=4", "--initial-old-space-size=20", "--heap-growing-percent=40"],
  });
  const { cert, key } = aHeld(await someKeys(), { names: ["127.0.0.1"], now: new Date() });
  child.send({ cert, key });
  const { port } = z.object({ port: z.number() }).parse(await nextMessage(child));
  return { name, port, usage: async () => ask(child), stop: () => child.kill() };
}

async function nextMessage(child: ChildProcess): Promise<unknown> {
  const [message] = z.array(z.unknown()).parse(await once(child, "message"));
  return message;
}

async function ask(child: ChildProcess): Promise<Usage> {
  const answer = nextMessage(child);
  child.send("usage");
  return Usage.parse(await answer);
}
