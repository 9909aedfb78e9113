import { lookup } from "node:dns/promises";
import { once } from "node:events";
import { isIP } from "node:net";
import { connect } from "node:tls";
import type { PeerCertificate, TLSSocket } from "node:tls";
import { messageOf } from "../log.ts";
import { createFindings } from "./finding.ts";
import type { Finding } from "./finding.ts";
import type { Target } from "./webhook.ts";

/** How far from us to the webhook's port one gets: a name, a connection, TLS. */
export type Way =
  | { readonly kind: "no_name" | "no_connection"; readonly code: string; readonly message: string }
  | { readonly kind: "no_trust"; readonly code: string; readonly message: string }
  | { readonly kind: "open"; readonly validTo: number };

const TIMEOUT_MS = 5_000;

/** Goes the API server's way to the webhook: resolves its name, connects, and verifies its certificate by the published bundle. */
export async function goTo({ host, port, bundle }: Target): Promise<Way> {
  if (isIP(host) === 0) {
    try {
      await lookup(host);
    } catch (error) {
      return { kind: "no_name", ...describe(error) };
    }
  }
  const socket = connect({
    host,
    port,
    ca: bundle,
    timeout: TIMEOUT_MS,
    ...(isIP(host) === 0 && { servername: host }),
  });
  try {
    const signal = AbortSignal.timeout(TIMEOUT_MS);
    await once(socket, "connect", { signal }).catch((error: unknown) => {
      throw new NoConnection(error);
    });
    await once(socket, "secureConnect", { signal });
    return { kind: "open", validTo: validToOf(socket) };
  } catch (error) {
    return error instanceof NoConnection
      ? { kind: "no_connection", ...describe(error.cause) }
      : { kind: "no_trust", ...describe(error) };
  } finally {
    socket.destroy();
  }
}

class NoConnection extends Error {
  constructor(cause: unknown) {
    super("no connection", { cause });
  }
}

function validToOf(socket: TLSSocket): number {
  const certificate: Partial<PeerCertificate> = socket.getPeerCertificate();
  return Date.parse(certificate.valid_to ?? "");
}

function describe(error: unknown): { readonly code: string; readonly message: string } {
  const code = error instanceof Error && "code" in error ? String(error.code) : "";
  return { code, message: messageOf(error) };
}

/** What stands in a finding about the way. */
export interface WayFacts {
  readonly target: Target;
  readonly way: Way;
  /** Whether this runs in a Pod, as the API server's way is there. */
  readonly inCluster: boolean;
  /** Milliseconds since 1970. */
  readonly now: number;
}

const dns = createFindings("DNS");
const tcp = createFindings("TCP");
const tls = createFindings("TLS");

/** Judges how far one got. */
export function judgeWay(facts: WayFacts): Finding[] {
  const { target, way, inCluster } = facts;
  const { host, port, service } = target;
  const address = `${host}:${port}`;
  if (way.kind !== "open" && service !== undefined && !inCluster && way.kind !== "no_trust") {
    return [
      dns.skipped(
        `${host} is a Service's name, which only Pods and the API server can reach; the dry run below goes their way`,
      ),
    ];
  }
  const named = dns.ok(isIP(host) === 0 ? `${host} has an address` : `${host} needs no name`);
  switch (way.kind) {
    case "no_name":
      return [dns.failed(`${host} has no address: ${way.message}`, nameFix(target))];
    case "no_connection":
      return [
        named,
        tcp.failed(`${address} takes no connection: ${way.message}`, connectionFix(way.code, target)),
      ];
    case "no_trust":
      return [
        named,
        tcp.ok(`${address} takes connections`),
        tls.failed(`${address}: ${trustProblem(way.code)} (${way.message})`, trustFix(way.code)),
      ];
    case "open":
      return [named, tcp.ok(`${address} takes connections`), judgeEnd(way.validTo, facts)];
  }
}

function judgeEnd(validTo: number, { target, now }: WayFacts): Finding {
  const hours = Math.round((validTo - now) / 3_600_000);
  const what = `the certificate of ${target.host} is trusted by the published bundle and ends in ${hours} h`;
  return hours < 1
    ? tls.warning(what, "it should have been renewed: the log of the webhook says why not")
    : tls.ok(what);
}

function nameFix({ service }: Target): string {
  return service === undefined
    ? "correct webhook.url, or the name's DNS record"
    : `is there a Service ${service.name} in ${service.namespace}? helm upgrade brings it back; else look at CoreDNS`;
}

function connectionFix(code: string, { port }: Target): string {
  switch (code) {
    case "ECONNREFUSED":
      return "nobody listens there: no replica runs, or the Service's port is another one";
    case "ABORT_ERR":
    case "ETIMEDOUT":
    case "EHOSTUNREACH":
      return `packets are dropped: a NetworkPolicy, a firewall between control plane and nodes (GKE private clusters: open port ${port} or set webhook.port: 10250), or an API server outside of the Pod network (EKS with another CNI: webhook.hostNetwork)`;
    default:
      return "look at what is between here and there: NetworkPolicy, firewall, proxy";
  }
}

/** OpenSSL's and Node's codes, as the API server words them: the same causes. */
function trustProblem(code: string): string {
  switch (code) {
    case "CERT_HAS_EXPIRED":
      return "the certificate has expired";
    case "CERT_NOT_YET_VALID":
      return "the certificate is not valid yet";
    case "ERR_TLS_CERT_ALTNAME_INVALID":
      return "the certificate is for another name";
    case "ECONNRESET":
    case "ERR_SSL_TLSV13_ALERT_CERTIFICATE_REQUIRED":
      return "the server hung up";
    case "ABORT_ERR":
      return "TLS did not come about in time";
    default:
      return "the published bundle does not trust the certificate";
  }
}

function trustFix(code: string): string {
  switch (code) {
    case "CERT_HAS_EXPIRED":
    case "CERT_NOT_YET_VALID":
      return "compare the clocks of the nodes; delete the Secret …-tls, and every replica has another certificate within seconds";
    case "ERR_TLS_CERT_ALTNAME_INVALID":
      return "the Service, the namespace or webhook.url changed after the certificate was made: delete the Secret …-tls, or issue your own for this name";
    case "ECONNRESET":
    case "ERR_SSL_TLSV13_ALERT_CERTIFICATE_REQUIRED":
      return "with webhook.tls.clientCaConfigMap only the API server is let in, and this is no fault; else something on the way speaks no TLS";
    case "ABORT_ERR":
      return "something on the way takes connections and does not pass them on: a proxy, a mesh's sidecar";
    default:
      return "somebody else owns caBundle (kubectl get mutatingwebhookconfigurations -o yaml --show-managed-fields), or two installations share a name; our own is published again within a minute";
  }
}
