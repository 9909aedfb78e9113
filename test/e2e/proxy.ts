import { once } from "node:events";
import { connect, createServer } from "node:net";
import type { Socket } from "node:net";

/** A way to a server that can be interrupted, below TLS. */
export interface Proxy {
  /** To be used in place of the server's own URL. */
  readonly server: string;
  /** Ends all connections, and refuses new ones. */
  cut(): void;
  /** From now on takes connections and what comes on them, and answers nothing. */
  swallow(): void;
  /** Lets new connections through again. */
  mend(): void;
  stop(): Promise<void>;
}

/** Starts a proxy to an https server on this machine; it lets everything through. */
export async function startProxy(target: string): Promise<Proxy> {
  const port = Number(new URL(target).port);
  const sockets = new Set<Socket>();
  let mode: "open" | "cut" | "swallow" = "open";
  function keep(socket: Socket): void {
    sockets.add(socket);
    socket.on("error", () => socket.destroy());
    socket.on("close", () => sockets.delete(socket));
  }
  function endAll(): void {
    for (const socket of sockets) socket.destroy();
  }
  const listener = createServer((socket) => {
    keep(socket);
    if (mode === "cut") {
      socket.destroy();
    } else if (mode === "open") {
      const upstream = connect(port, "127.0.0.1");
      keep(upstream);
      socket.pipe(upstream).pipe(socket);
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
