import { fork } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import * as z from "zod";
import { aHeld, someKeys } from "../certs/pair.ts";
import { WEBHOOK_OPTIONS } from "./image.ts";
import type { Stages } from "./stages.ts";

const Usage = z.object({
  cpuSeconds: z.number(),
  rssMiB: z.number(),
  blockedMs: z.number().optional(),
  collections: z.number().optional(),
  collectionsMs: z.number().optional(),
  collectedMs: z.number().optional(),
  kernelSeconds: z.number().optional(),
  stages: z.object({ deciding: z.number(), answering: z.number(), reporting: z.number() }).optional(),
});

/** What a server has used since it started. */
export interface Usage {
  readonly cpuSeconds: number;
  readonly rssMiB: number;
  /** How long its event loop was blocked at most since it was watched; undefined for a server without one that can be asked. */
  readonly blockedMs?: number | undefined;
  /** How often all garbage was collected meanwhile, and for how many milliseconds in sum; likewise. */
  readonly collections?: number | undefined;
  readonly collectionsMs?: number | undefined;
  /** How long any garbage was collected since then. */
  readonly collectedMs?: number | undefined;
  /** Of its processor time, what the kernel took. */
  readonly kernelSeconds?: number | undefined;
  /** Where a request's time went since it was timed. */
  readonly stages?: Stages | undefined;
}

/** A server in a process of its own. */
export interface Server {
  readonly name: string;
  readonly pid: number;
  readonly port: number;
  readonly path: string;
  /** The CA of its certificate, PEM. */
  readonly ca: string;
  usage(): Promise<Usage>;
  /** From now on until it is asked for its usage, its event loop and its collector are watched, or its requests' stages timed. */
  watch(what: "loop" | "stages"): Promise<void>;
  stop(): Promise<void>;
}

/** server.ts, bundled as the image's program is. */
export const SERVER = new URL("../../dist/bench/server.js", import.meta.url);

/** Starts a server by the name that server.ts knows. */
export async function startServer(name: string): Promise<Server> {
  // The log goes where the kernel drops it.
  const child = fork(SERVER, [name], {
    stdio: ["ignore", "ignore", "ignore", "ipc"],
    // Of two values of one option, the later is in force.
    execArgv: name === "roomy" ? [...WEBHOOK_OPTIONS, "--heap-growing-percent=100"] : WEBHOOK_OPTIONS,
  });
  const keys = await someKeys();
  const certified = name === "of RSA" ? { ...keys, serving: keys.otherCa } : keys;
  const { cert, key, caCert = "" } = aHeld(certified, { names: ["127.0.0.1"], now: new Date() });
  child.send({ cert, key });
  const { port } = z.object({ port: z.number() }).parse(await nextMessage(child));
  return {
    name,
    pid: child.pid ?? 0,
    port,
    path: "/mutate",
    ca: caCert,
    usage: async () => ask(child, "usage"),
    async watch(what) {
      await ask(child, what);
    },
    async stop() {
      child.kill();
    },
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
