import { once } from "node:events";
import { connect, createServer } from "node:net";
import type { Socket } from "node:net";
import { pipeline } from "node:stream/promises";
import { setTimeout as sleep } from "node:timers/promises";

/** A way to a server that can be interrupted, below TLS. */
export interface Proxy {
  /** To be used in place of the server's own URL. */
  readonly server: string;
  /** Ends all connections, and refuses new ones. */
  cut(): void;
  /** From now on takes connections and what comes on them, and answers nothing. */
  swallow(): void;
  /** From now on lets answers through a little at a time: some 6 KB a second. Gives for how long it has, in milliseconds at least. */
  slow(): () => number;
  /** Lets new connections through again. */
  mend(): void;
  stop(): Promise<void>;
}

/** Starts a proxy to an https server on this machine; it lets everything through. */
export async function startProxy(target: string): Promise<Proxy> {
  const port = Number(new URL(target).port);
  const sockets = new Set<Socket>();
  let pieces = 0;
  let mode: "open" | "cut" | "swallow" | "slow" = "open";
  function keep(socket: Socket): void {
    sockets.add(socket);
    socket.on("error", () => socket.destroy());
    socket.on("close", () => sockets.delete(socket));
  }
  function endAll(): void {
    for (const socket of sockets) socket.destroy();
  }
  async function* inPieces(source: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
    for await (const chunk of source) {
      for (let from = 0; from < chunk.length; from += PIECE) {
        await sleep(PIECE_EVERY_MS);
        pieces += 1;
        yield chunk.subarray(from, from + PIECE);
      }
    }
  }
  const listener = createServer((socket) => {
    keep(socket);
    if (mode === "cut") {
      socket.destroy();
    } else if (mode === "open" || mode === "slow") {
      const upstream = connect(port, "127.0.0.1");
      keep(upstream);
      socket.pipe(upstream);
      if (mode === "open") upstream.pipe(socket);
      else pipeline(upstream, inPieces, socket).catch(() => socket.destroy());
      socket.on("close", () => upstream.destroy());
      upstream.on("close", () => socket.destroy());
    } else {
      socket.resume();
    }
  });
  listener.listen(0, "127.0.0.1");
  await once(listener, "listening");
  const address = listener.address();
  return {
    server: `https://127.0.0.1:${typeof address === "object" ? (address?.port ?? 0) : 0}`,
    cut() {
      mode = "cut";
      endAll();
    },
    swallow() {
      mode = "swallow";
    },
    slow() {
      mode = "slow";
      return () => pieces * PIECE_EVERY_MS;
    },
    mend() {
      mode = "open";
      endAll();
    },
    async stop() {
      endAll();
      listener.close();
      await once(listener, "close");
    },
  };
}

const PIECE = 128;
const PIECE_EVERY_MS = 20;
