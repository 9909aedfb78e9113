import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { checkWebhookConfig, ConfigError } from "../src/config.ts";
import type { WebhookConfig } from "../src/config.ts";
import { DEFAULT_CIPHERS } from "../src/server/tls.ts";

const config: WebhookConfig = {
  namespace: "snapshot-retainer",
  policyConfigmap: "policy",
  host: "127.0.0.1",
  port: 0,
  probePort: 0,
  certMode: "self",
  tlsSecret: "tls",
  dnsName: ["snapshot-retainer.svc"],
  tlsMinVersion: "TLSv1.2",
  tlsCiphers: DEFAULT_CIPHERS,
  clientName: [],
  signingKeySecret: "key",
  originalsConfigmap: "originals",
  controllerLease: "controller",
  ownAccount: [],
  drainSeconds: 0,
  logLevel: "info",
};

describe("ciphers", () => {
  const ofRsa = "ECDHE-RSA-AES128-GCM-SHA256:AES128-GCM-SHA256:!aNULL";

  test("with which nobody could connect to a certificate of our own are refused, and named", () => {
    assert.throws(
      () => checkWebhookConfig({ ...config, tlsCiphers: ofRsa }),
      (error) => error instanceof ConfigError && error.message.includes(ofRsa) && /ECDSA/.test(error.message),
    );
  });

  for (const tlsCiphers of [
    DEFAULT_CIPHERS,
    `${ofRsa}:TLS_AES_128_GCM_SHA256`,
    `${ofRsa}:ECDHE-ECDSA-AES128-GCM-SHA256`,
    "HIGH:!aNULL",
    "ECDHE+AESGCM",
  ]) {
    test(`${tlsCiphers} will do`, () => checkWebhookConfig({ ...config, tlsCiphers }));
  }

  test("are a user's own choice with a certificate of their own", () => {
    const own = { certMode: "files", tlsCert: "package.json", tlsKey: "package.json" } as const;
    checkWebhookConfig({ ...config, ...own, tlsCiphers: ofRsa });
  });
});
