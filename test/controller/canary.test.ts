import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { Registry } from "prom-client";
import { createCanaryReport } from "../../src/controller/canary-report.ts";
import { namespacesToProbe, runCanary } from "../../src/controller/canary.ts";
import type { CanaryResult } from "../../src/controller/canary.ts";
import { createControllerMetrics } from "../../src/controller/metrics.ts";
import { createLog } from "../../src/log.ts";
import { aPolicy } from "../builders/policy.ts";

const LIMIT = "backup.velero.io/data-mover-snapshot-to-retain";

/** Probes once, with this answer of the API server. */
async function probeOnce(answer: () => unknown): Promise<{ results: CanaryResult[]; sent: string[] }> {
  const results: CanaryResult[] = [];
  const sent: string[] = [];
  const over = new AbortController();
  await runCanary({
    rest: {
      async call(method, path) {
        sent.push(`${method} ${path}`);
        return answer();
      },
    },
    everyMs: 1,
    policy: () => aPolicy(),
    onResult(result) {
      results.push(result);
      over.abort();
    },
    signal: over.signal,
  });
  return { results, sent };
}

describe("the canary", () => {
  for (const [name, annotations, kind] of [
    ["is well where the limit was set", { [LIMIT]: "0" }, "mutated"],
    ["is not where another annotation was", { other: "0" }, "unmutated"],
    ["is not where there are none", undefined, "unmutated"],
  ] as const) {
    test(name, async () => {
      const { results, sent } = await probeOnce(() => ({ metadata: { annotations } }));
      assert.deepEqual(results, [{ kind, namespace: "velero" }]);
      assert.deepEqual(sent, ["POST /apis/velero.io/v1/namespaces/velero/backups?dryRun=All"]);
    });
  }

  test("tells why it could not be sent", async () => {
    const { results } = await probeOnce(() => {
      throw new Error("403: no");
    });
    assert.deepEqual(results, [{ kind: "failed", namespace: "velero", reason: "403: no" }]);
  });

  test("is sent to every namespace of Velero's, and nowhere in mode audit or without a policy", () => {
    const velero = { namespaces: ["velero", "second"] };
    assert.deepEqual(namespacesToProbe(aPolicy({ velero })), ["velero", "second"]);
    assert.deepEqual(namespacesToProbe(aPolicy({ velero, mode: "paused" })), ["velero", "second"]);
    assert.deepEqual(namespacesToProbe(aPolicy({ velero, mode: "audit" })), []);
    assert.deepEqual(namespacesToProbe(undefined), []);
  });
});

test("a canary is told of when it changes, and each is counted", async () => {
  const told: string[] = [];
  const registry = new Registry();
  const report = createCanaryReport({
    metrics: createControllerMetrics(registry),
    events: { record: (_subject, { type, reason }) => void told.push(`${type} ${reason}`) },
    subject: { apiVersion: "v1", kind: "ConfigMap", namespace: "home", name: "policy" },
    log: createLog("silent"),
    now: () => 7_000,
  });
  for (const kind of ["mutated", "unmutated", "unmutated", "mutated", "mutated"] as const) {
    report({ kind, namespace: "velero" });
  }
  report({ kind: "failed", namespace: "second", reason: "403" });
  assert.deepEqual(told, ["Warning AdmissionBypassed", "Normal AdmissionWorks", "Warning AdmissionBypassed"]);
  const text = await registry.metrics();
  assert.match(text, /snapshot_retainer_canary_probes_total\{result="mutated"\} 3/);
  assert.match(text, /snapshot_retainer_canary_probes_total\{result="unmutated"\} 2/);
  assert.match(text, /snapshot_retainer_canary_success_timestamp_seconds 7/);
});
