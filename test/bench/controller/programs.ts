import { spawn } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { setTimeout as sleep } from "node:timers/promises";
import * as z from "zod";
import type { Cluster } from "../../cluster/cluster.ts";
import { tokenIn } from "../../cluster/identity.ts";
import { usageOf } from "../process-usage.ts";

/** What one program came to that has read everything. */
export interface Synced {
  /** From its start. */
  readonly seconds: number;
  readonly rssMiB: number;
  readonly cpuSeconds: number;
  /** By system calls, from the API server for the most part. */
  readonly readMiB: number;
}

/** A command that prints `{"objects":…}` when it has read everything, and ends with its standard input. */
type Command = readonly [string, ...string[]];

/** Programs that read the same as our controller. */
export interface Others {
  /** The least that anybody could do: it keeps nothing of what it is sent. Nobody to be compared with, hence measured once. */
  readonly floor: Command;
  /** What others would build a controller on. */
  readonly peers: ReadonlyMap<string, Command>;
}

/** Each as a command. */
export async function othersOf({ server, caFile, kubeconfig }: Cluster, programs: string): Promise<Others> {
  const token = await tokenIn(kubeconfig);
  return {
    floor: [process.execPath, "dist/bench/controller/watch.js", server, caFile, token],
    peers: new Map<string, Command>([
      ["client-go metadata", [join(programs, "informer"), "-kubeconfig", kubeconfig, "-form", "metadata"]],
      ["client-node informer", [process.execPath, join(import.meta.dirname, "informer.ts"), kubeconfig]],
    ]),
  };
}

const Told = z.object({ objects: z.number() });

/** After it is in sync: what it needed only for that is then given back, where it is at all. */
export const SETTLE_MS = 1_000;

/** Runs a command until it is in sync, and ends it. */
export async function sync([file, ...args]: Command): Promise<Synced & { readonly objects: number }> {
  const begun = performance.now();
  const child = spawn(file, args, { stdio: ["pipe", "pipe", "ignore"] });
  const { objects } = Told.parse(JSON.parse(await firstLine(child)));
  const seconds = (performance.now() - begun) / 1000;
  const { cpuSeconds } = await usageOf(child.pid ?? 0);
  await sleep(SETTLE_MS);
  const { rssMiB } = await usageOf(child.pid ?? 0);
  const readMiB = await readBy(child.pid ?? 0);
  child.kill("SIGKILL");
  await once(child, "exit");
  return { objects, seconds, rssMiB, cpuSeconds, readMiB };
}

async function firstLine(child: ChildProcess): Promise<string> {
  if (child.stdout === null) throw new Error("no output to read");
  for await (const line of createInterface({ input: child.stdout })) return line;
  throw new Error(`${child.spawnfile} ended before it had read everything`);
}

/** What a process has read, in MiB. */
export async function readBy(pid: number): Promise<number> {
  const io = await readFile(`/proc/${pid}/io`, "utf8");
  return Number(/rchar: (\d+)/.exec(io)?.[1]) / 2 ** 20;
}
