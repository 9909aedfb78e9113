import { createServer } from "node:net";
import { randomInt } from "node:crypto";

/**
 * Finds loopback ports that nothing listens on. They lie below the range that the kernel hands out by itself (32768
 * and up on Linux), so that no outgoing connection takes one before its component listens there.
 */
export async function findPorts(count: number): Promise<number[]> {
  const found = new Set<number>();
  while (found.size < count) {
    const port = randomInt(LOWEST, HIGHEST);
    if (!GIVEN.has(port) && (await isFree(port))) {
      GIVEN.add(port);
      found.add(port);
    }
  }
  return [...found];
}

const LOWEST = 10_000;
const HIGHEST = 32_768;

// Ports given out stay given for the life of the process: a component may be down for a moment and want its port back.
const GIVEN = new Set<number>();

async function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once("error", () => resolve(false));
    server.listen(port, "127.0.0.1", () => server.close(() => resolve(true)));
  });
}
