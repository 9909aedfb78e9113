import { createServer as createPlainServer } from "node:http";
import type { RequestListener, Server as PlainServer } from "node:http";
import { createServer } from "node:https";
import type { Server } from "node:https";
import { once } from "node:events";
import { setTimeout as sleep } from "node:timers/promises";
import type { CertificateSource, ServingPair } from "../../certs/source.ts";
import { contextOf, DEFAULT_TLS, isNamed } from "./tls.ts";
import type { TlsSettings } from "./tls.ts";

/**
 * kube-apiserver (Go's net/http) keeps idle connections for 90 seconds. A server that closes them earlier does so
 * now and then just as a request arrives, which the API server sees as an error; hence longer.
 */
const KEEP_ALIVE_MS = 120_000;
/** What no client may exceed; those of the API server come nowhere near. */
export interface Limits {
  /** Time for the TLS handshake. */
  readonly handshakeMs: number;
  /** Time for a request's headers, from the connection on: the API server sends them at once. */
  readonly headersMs: number;
  /** Time for a whole request; the API server itself gives up after 30 seconds at most. */
  readonly requestMs: number;
  /** How often the two before are looked at. */
  readonly checkMs: number;
  /** How many connections at once. An API server keeps one for each request under way, of which it allows 200 that change something. */
  readonly connections: number;
}
export const LIMITS: Limits = {
  handshakeMs: 10_000,
  headersMs: 10_000,
  requestMs: 35_000,
  checkMs: 2_000,
  connections: 1_000,
};
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
  /** `DEFAULT_TLS` where left out. */
  readonly tls?: TlsSettings;
  /** Other limits, for tests. */
  readonly limits?: Partial<Limits>;
  /** Told of each connection that was not taken. */
  readonly onRefused?: (why: Refusal) => void;
  /** Once aborted, each answer closes its connection: the API server then finds another replica for the next request. */
  readonly stopping: AbortSignal;
}

/** Why a connection is not taken: its handshake failed, its certificate has another's name, or there are too many. */
export type Refusal = "handshake" | "client" | "limit";

/** An HTTPS server that follows its certificate, and the CA of its clients, without a restart. */
export async function listenTls(app: RequestListener, options: TlsOptions): Promise<Server> {
  const { pair, tls = DEFAULT_TLS, limits, stopping, host, port } = options;
  const { handshakeMs, headersMs, requestMs, checkMs, connections } = { ...LIMITS, ...limits };
  const given = {
    ...contextOf(pair, tls),
    // A client without a certificate is not let in at all; it gets no answer that could tell it anything.
    ...(tls.clients && { requestCert: true, rejectUnauthorized: true }),
    handshakeTimeout: handshakeMs,
    headersTimeout: headersMs,
    requestTimeout: requestMs,
    connectionsCheckingInterval: checkMs,
    keepAliveTimeout: KEEP_ALIVE_MS,
  };
  const server = createServer(given, app);
  server.maxConnections = connections;
  server.prependListener("request", (_request, response) => {
    if (stopping.aborted) {
      response.shouldKeepAlive = false;
    }
  });
  refuse(server, tls, options.onRefused);
  follow(server, tls, options);
  server.listen(port, host);
  await once(server, "listening");
  return server;
}

function refuse(server: Server, { clients }: TlsSettings, onRefused?: (why: Refusal) => void): void {
  server.on("tlsClientError", (_error, socket) => {
    socket.destroy();
    onRefused?.("handshake");
  });
  server.on("drop", () => onRefused?.("limit"));
  if (clients !== undefined) {
    // Ahead of HTTP's own listener, which reads nothing of a connection that is gone.
    server.prependListener("secureConnection", (socket) => {
      if (!isNamed(socket.getPeerCertificate(), clients.names)) {
        socket.destroy();
        onRefused?.("client");
      }
    });
  }
}

function follow(server: Server, tls: TlsSettings, { pair, certificates }: TlsOptions): void {
  let current = pair;
  function reload(): void {
    server.setSecureContext(contextOf(current, tls));
  }
  const ends = [
    certificates.subscribe((next) => {
      current = next;
      reload();
    }),
    ...(tls.clients === undefined ? [] : [tls.clients.ca.subscribe(reload)]),
  ];
  server.once("close", () => {
    for (const end of ends) end();
  });
}

/** A plain server for probes and metrics. */
export async function listenPlain(app: RequestListener, address: Address): Promise<PlainServer> {
  const { headersMs, requestMs, checkMs, connections } = LIMITS;
  const server = createPlainServer(
    { headersTimeout: headersMs, requestTimeout: requestMs, connectionsCheckingInterval: checkMs },
    app,
  );
  server.maxConnections = connections;
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
