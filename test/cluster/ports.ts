import { createServer } from "node:net";
import type { Server } from "node:net";
import { randomInt } from "node:crypto";

/**
 * Finds loopback ports that nothing listens on. They lie below the range that the kernel hands out by itself (32768
 * and up on Linux), so that no outgoing connection takes one before its component listens there, and in a part of that which no
 * other process of ours looks into meanwhile.
 */
export async function findPorts(count: number): Promise<number[]> {
  const { from, to } = await (range ??= takeRange());
  const found = new Set<number>();
  while (found.size < count) {
    const port = randomInt(from, to);
    if (!GIVEN.has(port) && (await isFree(port))) {
      GIVEN.add(port);
      found.add(port);
    }
  }
  return [...found];
}

interface Range {
  readonly from: number;
  readonly to: number;
}

let range: Promise<Range> | undefined;

/** Above 10080, which fetch refuses to talk to (https://fetch.spec.whatwg.org/#port-blocking). */
const LOWEST = 10_100;
const HIGHEST = 32_768;
/** Ports of one process: many more than it has components. */
const SIZE = 700;

// Ports given out stay given for the life of the process: a component may be down for a moment and want its port back.
const GIVEN = new Set<number>();

/** The first part whose lowest port is free, which this process listens on from then on: it is given back however it ends. */
async function takeRange(): Promise<Range> {
  for (let from = LOWEST; from + SIZE <= HIGHEST; from += SIZE) {
    const server = await listen(from);
    server?.unref();
    if (server !== undefined) return { from: from + 1, to: from + SIZE };
  }
  return { from: LOWEST, to: HIGHEST };
}

async function isFree(port: number): Promise<boolean> {
  const server = await listen(port);
  await new Promise((resolve) => (server === undefined ? resolve(undefined) : server.close(resolve)));
  return server !== undefined;
}

async function listen(port: number): Promise<Server | undefined> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once("error", () => resolve(undefined));
    server.listen(port, "127.0.0.1", () => resolve(server));
  });
}
