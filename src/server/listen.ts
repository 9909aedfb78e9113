import { createServer as createPlainServer } from "node:http";
import type { RequestListener, Server as PlainServer } from "node:http";
import { createServer } from "node:https";
import type { Server } from "node:https";
import { once } from "node:events";
import { setTimeout as sleep } from "node:timers/promises";
import type { CertificateSource, ServingPair } from "../../certs/source.ts";

/**
 * kube-apiserver (Go's net/http) keeps idle connections for 90 seconds. A server that closes them earlier does so
 * now and then just as a request arrives, which the API server sees as an error; hence longer.
 */
const KEEP_ALIVE_MS = 120_000;
/** Time for a request's headers: the API server sends them at once; slower clients are not ours. */
const HEADERS_MS = 10_000;
/** Time for a whole request; the API server itself gives up after 30 seconds at most. */
const REQUEST_MS = 35_000;
/** After the drain time: how long requests under way may still take. */
const CLOSE_MS = 5_000;

/** Where to listen. */
export interface Address {
  readonly host: string;
  readonly port: number;
}

/** What an HTTPS server needs beside its application. */
export interface TlsOptions extends Address {
  readonly pair: ServingPair;
  readonly certificates: CertificateSource;
  /** Once aborted, each answer closes its connection: the API server then finds another replica for the next request. */
  readonly stopping: AbortSignal;
}

/** An HTTPS server that follows its certificate without a restart; TLS 1.2 or newer. */
export async function listenTls(app: RequestListener, options: TlsOptions): Promise<Server> {
  const { pair, certificates, stopping, host, port } = options;
  const server = createServer({ ...contextOf(pair), keepAliveTimeout: KEEP_ALIVE_MS }, app);
  server.headersTimeout = HEADERS_MS;
  server.requestTimeout = REQUEST_MS;
  server.prependListener("request", (_request, response) => {
    if (stopping.aborted) {
      response.shouldKeepAlive = false;
    }
  });
  const unsubscribe = certificates.subscribe((next) => server.setSecureContext(contextOf(next)));
  server.once("close", unsubscribe);
  server.listen(port, host);
  await once(server, "listening");
  return server;
}

/** A plain server for probes and metrics. */
export async function listenPlain(app: RequestListener, address: Address): Promise<PlainServer> {
  const server = createPlainServer(app);
  server.listen(address.port, address.host);
  await once(server, "listening");
  return server;
}

/** The port that a server listens on, as the system chose it where 0 was asked for. */
export function portOf(server: PlainServer | Server): number {
  const address = server.address();
  return typeof address === "object" && address !== null ? address.port : 0;
}

/**
 * Stops a server without failing a call: it serves on for the drain time, in which endpoints are updated, then takes
 * no new connections, closes idle ones and waits for requests under way.
 */
export async function drain(server: PlainServer | Server, drainMs: number): Promise<void> {
  await sleep(drainMs);
  const closed = once(server, "close");
  server.close();
  server.closeIdleConnections();
  const timer = setTimeout(() => server.closeAllConnections(), CLOSE_MS);
  await closed;
  clearTimeout(timer);
}

function contextOf(pair: ServingPair): { cert: string; key: string; minVersion: "TLSv1.2" } {
  return { cert: pair.cert, key: pair.key, minVersion: "TLSv1.2" };
}
