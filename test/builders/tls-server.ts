import { once } from "node:events";
import { request } from "node:https";
import type { RequestOptions, Server } from "node:https";
import type { IncomingMessage } from "node:http";
import { text } from "node:stream/consumers";
import type { CertificateSource, ServingPair } from "../../certs/source.ts";
import { createApp } from "../../src/server/app.ts";
import { listenTls, portOf } from "../../src/server/listen.ts";
import type { TlsOptions } from "../../src/server/listen.ts";
import { aHeld, someKeys } from "../certs/pair.ts";
import type { TestKeys } from "../certs/pair.ts";
import { aContext } from "./context.ts";

const names = ["snapshot-retainer.velero.svc", "127.0.0.1"];
const keys = await someKeys();

/** What our servers in tests serve, and by which CA a client trusts it. */
export const pair = aPair(keys);

/** The same as a user's own certificate may be: with an RSA key. */
export const rsaPair = aPair({ ...keys, serving: keys.otherCa });

function aPair(of: TestKeys): ServingPair {
  const { cert, key, caCert } = aHeld(of, { names, now: new Date() });
  return { cert: cert ?? "", key: key ?? "", ca: caCert, notAfter: new Date(), names };
}

const certificates: CertificateSource = {
  current: () => pair,
  subscribe: () => () => undefined,
  published: () => true,
  problem: () => undefined,
  stop: async () => undefined,
};

/** The real application, with a policy, behind the real HTTPS server on a free port of the loopback. */
export async function startTlsServer(options: Partial<TlsOptions> = {}): Promise<Server> {
  const app = createApp({
    context: () => aContext(),
    policyKey: "policy.yaml",
    deadlineMs: 3_300,
    onAnswered: () => undefined,
    clock: () => 0,
    onError: () => undefined,
  });
  const stopping = new AbortController().signal;
  return listenTls(app, { host: "127.0.0.1", port: 0, pair, certificates, stopping, ...options });
}

/** How to reach such a server. */
export function addressOf(server: Server): { host: string; port: number; ca: string } {
  return { host: "127.0.0.1", port: portOf(server), ca: pair.ca ?? "" };
}

/** POSTs a body to /mutate; rejects when the connection is refused. */
export async function post(
  options: RequestOptions,
  body: string,
): Promise<{ text: string; connection: unknown }> {
  const response = await new Promise<IncomingMessage>((resolve, reject) => {
    const own = { host: "127.0.0.1", method: "POST", path: "/mutate", ca: pair.ca };
    const outgoing = request({ ...own, ...options }, resolve);
    outgoing.on("error", reject);
    outgoing.end(body);
  });
  return { text: await text(response), connection: response.headers.connection };
}

/** Ends a server with whatever hangs on it. */
export async function endServer(server: Server): Promise<void> {
  const closed = once(server, "close");
  server.close();
  server.closeAllConnections();
  await closed;
}
