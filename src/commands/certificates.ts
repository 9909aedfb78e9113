import { randomBytes, randomUUID } from "node:crypto";
import { hostname } from "node:os";
import type { KubeConfig } from "@kubernetes/client-node";
import { startAuthority } from "../../certs/authority.ts";
import { startClientCa } from "../../certs/client-ca.ts";
import { startFiles } from "../../certs/files.ts";
import { createCertificatePorts } from "../../certs/ports.ts";
import type { CertificateSource } from "../../certs/source.ts";
import type { WebhookConfig } from "../config.ts";
import type { Log } from "../log.ts";
import type { Metrics } from "../metrics.ts";
import type { TlsSettings } from "../server/tls.ts";

/** What of the webhook's parts certificates need. */
interface Parts {
  readonly config: WebhookConfig;
  readonly kubeConfig: KubeConfig;
  readonly log: Log;
  readonly metrics: Metrics;
  readonly signal: AbortSignal;
}

/** Starts whatever keeps the certificate that is served, and has the metrics tell of it. */
export function startCertificates({ config, kubeConfig, log, metrics, signal }: Parts): CertificateSource {
  function now(): Date {
    return new Date();
  }
  const source =
    config.certMode === "files"
      ? startFiles({ certFile: config.tlsCert ?? "", keyFile: config.tlsKey ?? "", now, log, signal })
      : startAuthority({
          ...createCertificatePorts(kubeConfig),
          namespace: config.namespace,
          secretName: config.tlsSecret,
          identity: servingIdentity(),
          rotateEveryMs: config.rotateEvery,
          names: config.dnsName,
          configurations:
            config.webhookConfiguration === undefined
              ? []
              : [
                  { kind: "MutatingWebhookConfiguration", name: config.webhookConfiguration },
                  { kind: "ValidatingWebhookConfiguration", name: config.webhookConfiguration },
                ],
          now,
          clock: () => performance.now(),
          randomBytes,
          log,
          signal,
        });
  metrics.observeCertificate(source);
  return source;
}

/** The Pod's name for people, as far as it can be part of an object's name, and what makes it unique. */
function servingIdentity(): string {
  const host = hostname()
    .toLowerCase()
    .replaceAll(/[^a-z0-9]+/g, "-")
    .slice(0, 60);
  return `serving-${host}-${randomUUID().slice(0, 8)}`;
}

/** Which TLS is spoken and with whom, as the flags say; the CA of clients is followed until the signal aborts. */
export async function tlsSettings(
  config: WebhookConfig,
  log: Log,
  signal: AbortSignal,
): Promise<TlsSettings> {
  const { tlsMinVersion: minVersion, tlsCiphers: ciphers, clientCa: file, clientName: names } = config;
  if (file === undefined) {
    return { minVersion, ciphers };
  }
  return { minVersion, ciphers, clients: { ca: await startClientCa({ file, log, signal }), names } };
}
