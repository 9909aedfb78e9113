import { connect } from "node:tls";
import type { TLSSocket } from "node:tls";
import { once } from "node:events";
import { setTimeout as sleep } from "node:timers/promises";

/** What a run of load measured. */
export interface Load {
  readonly requests: number;
  readonly seconds: number;
  /** Milliseconds, sorted. */
  readonly latencies: Float64Array;
  /** Answers other than 200 with `allowed: true`. */
  readonly failures: number;
}

/** How much load, the way kube-apiserver makes it: HTTP/1.1 over TLS, connections kept alive, one request at a time on each. */
export interface LoadOptions {
  readonly to: { readonly port: number; readonly path: string };
  /** Sent one after another, and again from the first. */
  readonly bodies: readonly string[];
  readonly connections: number;
  /** Whether each request comes over a new connection, as kube-apiserver opens them where far more than 25 requests come at once. */
  readonly anew?: boolean;
  /** How long to send, and how many; whichever comes first. What is under way then is waited for. */
  readonly seconds?: number;
  readonly requests?: number;
  /** Requests a second, evenly spread; as fast as the server answers where left out. */
  readonly rate?: number;
}

/**
 * Sends the requests and waits for every answer. Latency counts from when a request was due, so that one which had to
 * wait for an answer before it counts its wait too; from when it left, where a timer's millisecond let it leave earlier.
 */
export async function runLoad(options: LoadOptions): Promise<Load> {
  const { to, bodies, connections, anew, rate, seconds: most = Infinity, requests = Infinity } = options;
  const messages = bodies.map((body) => messageOf(to, body));
  const latencies: number[] = [];
  let next = 0;
  let failures = 0;
  const sockets = await Promise.all(Array.from({ length: connections }, async () => open(to.port)));
  const start = performance.now();
  const end = start + most * 1000;
  async function drive(socket: TLSSocket): Promise<void> {
    for (let index = next++; index < requests && performance.now() < end; index = next++) {
      const due = rate === undefined ? Infinity : start + (index * 1000) / rate;
      const early = due - performance.now();
      if (early > 1 && early < Infinity) {
        await sleep(Math.floor(early));
      }
      const left = performance.now();
      const own = anew === true ? await open(to.port) : socket;
      const ok = await exchange(own, messages[index % messages.length] ?? "");
      if (own !== socket) own.destroy();
      latencies.push(performance.now() - Math.min(due, left));
      failures += ok ? 0 : 1;
    }
  }
  await Promise.all(sockets.map(drive));
  const seconds = (performance.now() - start) / 1000;
  for (const socket of sockets) {
    socket.destroy();
  }
  return { requests: latencies.length, seconds, latencies: Float64Array.from(latencies).sort(), failures };
}

function messageOf({ port, path }: LoadOptions["to"], body: string): Buffer {
  return Buffer.from(
    `POST ${path}?timeout=5s HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\nUser-Agent: kube-apiserver-admission\r\nContent-Type: application/json\r\nAccept: application/json, */*\r\nContent-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`,
  );
}

async function open(port: number): Promise<TLSSocket> {
  // The generator is not what is measured: it need not check the certificate.
  const socket = connect({ port, host: "127.0.0.1", rejectUnauthorized: false, ALPNProtocols: ["http/1.1"] });
  socket.setNoDelay(true);
  await once(socket, "secureConnect");
  return socket;
}

async function exchange(socket: TLSSocket, message: Buffer | string): Promise<boolean> {
  return new Promise((resolve, reject) => {
    let text = "";
    function onData(chunk: Buffer): void {
      text += chunk.toString("latin1");
      if (isWhole(text)) {
        socket.off("data", onData);
        socket.off("error", reject);
        resolve(text.startsWith("HTTP/1.1 200") && text.includes('"allowed":true'));
      }
    }
    socket.on("data", onData);
    socket.once("error", reject);
    socket.write(message);
  });
}

/** Whether an answer has come to its end; one from Go without a length comes in chunks, of which the last is empty. */
function isWhole(text: string): boolean {
  const head = text.indexOf("\r\n\r\n");
  if (head < 0) return false;
  const length = /content-length: (\d+)/i.exec(text)?.[1];
  return length === undefined ? text.endsWith("\r\n0\r\n\r\n") : text.length >= head + 4 + Number(length);
}
