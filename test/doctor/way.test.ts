import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer } from "node:net";
import { createServer as createTlsServer } from "node:tls";
import type { Server } from "node:net";
import { after, describe, test } from "node:test";
import * as z from "zod";
import { goTo, judgeWay } from "../../src/doctor/way.ts";
import type { Way } from "../../src/doctor/way.ts";
import type { Target } from "../../src/doctor/webhook.ts";
import { aCa, aHeld, someKeys } from "../certs/pair.ts";

const keys = await someKeys();
const NOW = new Date();
const YEAR = 366 * 24 * 3_600_000;

const servers: Server[] = [];
after(() => {
  for (const server of servers) server.close();
});

async function portOf(server: Server): Promise<number> {
  servers.push(server);
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return z.object({ port: z.number() }).parse(server.address()).port;
}

/** A webhook that serves a certificate for these names, made at a time. */
async function aWebhook(names: readonly string[], now = NOW): Promise<Target> {
  const { cert, key, caCert } = aHeld(keys, { names, now });
  const server = createTlsServer({ cert, key }, (socket) => socket.on("error", () => undefined));
  server.on("tlsClientError", () => undefined);
  return { host: "127.0.0.1", port: await portOf(server), service: undefined, bundle: caCert ?? "" };
}

async function failureOn(target: Target): Promise<string> {
  const findings = judgeWay({ target, way: await goTo(target), inCluster: true, now: NOW.getTime() });
  return findings
    .filter(({ status }) => status === "failed")
    .map(({ check, message, fix = "" }) => `${check}: ${message} → ${fix}`)
    .join("\n");
}

describe("the way to the webhook", () => {
  test("is open where the bundle trusts what is served", async () => {
    const target = await aWebhook(["127.0.0.1"]);
    const way = await goTo(target);
    assert.equal(way.kind, "open");
    const findings = judgeWay({ target, way, inCluster: true, now: NOW.getTime() });
    assert.deepEqual(
      findings.map(({ check, status }) => `${check} ${status}`),
      ["DNS ok", "TCP ok", "TLS ok"],
    );
  });

  test("ends at a bundle of another CA", async () => {
    const bundle = aCa(keys.otherCa, NOW);
    const found = await failureOn({ ...(await aWebhook(["127.0.0.1"])), bundle });
    assert.match(
      found,
      /^TLS: .*the published bundle does not trust the certificate .*→ somebody else owns caBundle/,
    );
  });

  test("ends at an expired certificate", async () => {
    const found = await failureOn(await aWebhook(["127.0.0.1"], new Date(NOW.getTime() - 20 * YEAR)));
    assert.match(found, /^TLS: .*the certificate has expired .*→ compare the clocks/);
  });

  test("ends at a certificate of another name", async () => {
    const found = await failureOn(await aWebhook(["webhook.elsewhere.svc"]));
    assert.match(
      found,
      /^TLS: .*the certificate is for another name .*→ the Service, the namespace or webhook.url/,
    );
  });

  test("ends at what hangs up", async () => {
    const port = await portOf(createServer((socket) => socket.destroy()));
    const found = await failureOn({ host: "127.0.0.1", port, service: undefined, bundle: aCa(keys.ca, NOW) });
    assert.match(found, /^TLS: .*the server hung up/);
  });

  test("ends at a port where nobody listens", async () => {
    const server = createServer();
    const port = await portOf(server);
    server.close();
    await once(server, "close");
    const found = await failureOn({ host: "127.0.0.1", port, service: undefined, bundle: "" });
    assert.match(found, /^TCP: .*takes no connection.*→ nobody listens there/);
  });

  test("ends at a name that nobody has", async () => {
    const found = await failureOn({ host: "webhook.invalid", port: 443, service: undefined, bundle: "" });
    assert.match(found, /^DNS: webhook.invalid has no address.*→ correct webhook.url/);
  });

  const service = { namespace: "snapshot-retainer", name: "snapshot-retainer-webhook", port: 443 };
  const inside: Target = {
    host: "snapshot-retainer-webhook.snapshot-retainer.svc",
    port: 443,
    service,
    bundle: "",
  };
  const dropped: Way = { kind: "no_connection", code: "ABORT_ERR", message: "aborted" };

  test("to a Service is not judged from outside of the cluster", () => {
    const way: Way = { kind: "no_name", code: "ENOTFOUND", message: "not found" };
    const findings = judgeWay({ target: inside, way, inCluster: false, now: 0 });
    assert.deepEqual(
      findings.map(({ status }) => status),
      ["skipped"],
    );
  });

  test("that drops packets is told with what drops them on GKE and EKS", () => {
    const findings = judgeWay({ target: inside, way: dropped, inCluster: true, now: 0 });
    assert.match(findings.at(-1)?.fix ?? "", /firewall.*10250.*hostNetwork/);
  });

  test("with a certificate that ends within the hour is to be looked at", () => {
    const way: Way = { kind: "open", validTo: 60_000 };
    const findings = judgeWay({ target: inside, way, inCluster: true, now: 0 });
    assert.equal(findings.at(-1)?.status, "warning");
  });
});
