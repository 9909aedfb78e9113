import assert from "node:assert/strict";
import { once } from "node:events";
import { after, before, describe, test } from "node:test";
import type { Server } from "node:http";
import type { ServingPair } from "../../certs/source.ts";
import { createMetrics } from "../../src/metrics.ts";
import { listenPlain, portOf } from "../../src/server/listen.ts";
import { createProbes } from "../../src/server/probes.ts";

const metrics = createMetrics();
let missing: readonly string[] = [];
let server: Server;
before(async () => {
  server = await listenPlain(
    createProbes(metrics.registry, () => missing),
    { host: "127.0.0.1", port: 0 },
  );
});
after(async () => {
  const closed = once(server, "close");
  server.close();
  server.closeAllConnections();
  await closed;
});

async function get(path: string): Promise<readonly [number, string]> {
  const response = await fetch(`http://127.0.0.1:${portOf(server)}${path}`);
  return [response.status, await response.text()];
}

describe("the probes", () => {
  test("are healthy, ready or not", async () => {
    for (const problems of [[], ["certificate: not published yet"]]) {
      missing = problems;
      assert.deepEqual(await get("/healthz"), [200, "ok\n"]);
    }
  });
  test("are ready when nothing is missing", async () => {
    missing = [];
    assert.deepEqual(await get("/readyz"), [200, "ok\n"]);
  });
  test("list what is missing, a line each", async () => {
    missing = ["policy: none", "cache: backups not synced yet"];
    assert.deepEqual(await get("/readyz"), [503, "policy: none\ncache: backups not synced yet\n"]);
  });
  test("know nothing else", async () => {
    assert.equal((await get("/mutate"))[0], 404);
  });
});

describe("the metrics", () => {
  const names: Record<string, string> = {
    snapshot_retainer_admission_requests_total: "counter",
    snapshot_retainer_admission_duration_seconds: "histogram",
    snapshot_retainer_policy_valid: "gauge",
    snapshot_retainer_policy_loads_total: "counter",
    snapshot_retainer_events_dropped_total: "counter",
    snapshot_retainer_watch_errors_total: "counter",
    snapshot_retainer_connections_refused_total: "counter",
    process_resident_memory_bytes: "gauge",
    nodejs_eventloop_lag_seconds: "gauge",
  };
  for (const [name, type] of Object.entries(names)) {
    test(`hold ${name}`, async () => {
      const [status, text] = await get("/metrics");
      assert.equal(status, 200);
      assert.match(text, new RegExp(`^# TYPE ${name} ${type}$`, "m"));
      assert.match(text, new RegExp(`^# HELP ${name} .`, "m"));
    });
  }

  test("count by kind, operation, outcome and code", async () => {
    metrics.admissions.inc({ kind: "backups", operation: "CREATE", outcome: "patched", code: "limit_set" });
    const [, text] = await get("/metrics");
    const labels = 'kind="backups",operation="CREATE",outcome="patched",code="limit_set"';
    assert.ok(text.includes(`snapshot_retainer_admission_requests_total{${labels}} 1`));
  });

  test("tell when the certificate expires, and whether it is published", async () => {
    const pair: ServingPair = {
      cert: "",
      key: "",
      ca: undefined,
      notAfter: new Date(1_800_000_000_000),
      names: [],
    };
    let held: ServingPair | undefined;
    metrics.observeCertificate({
      current: () => held,
      subscribe: () => () => undefined,
      published: () => held !== undefined,
      problem: () => undefined,
      stop: async () => undefined,
    });
    const [, before] = await get("/metrics");
    assert.match(before, /^snapshot_retainer_certificate_expiry_timestamp_seconds 0$/m);
    assert.match(before, /^snapshot_retainer_certificate_published 0$/m);
    held = pair;
    const [, later] = await get("/metrics");
    assert.match(later, /^snapshot_retainer_certificate_expiry_timestamp_seconds 1800000000$/m);
    assert.match(later, /^snapshot_retainer_certificate_published 1$/m);
  });

  test("of two registries do not meet", async () => {
    const other = createMetrics();
    assert.ok(!(await other.registry.metrics()).includes('code="limit_set"'));
  });
});
