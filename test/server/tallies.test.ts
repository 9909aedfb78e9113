import assert from "node:assert/strict";
import { test } from "node:test";
import { createMetrics } from "../../src/metrics.ts";
import type { Answered } from "../../src/server/admission.ts";
import { createTallies } from "../../src/server/tallies.ts";
import { aBackup } from "../builders/objects.ts";
import { aRequest } from "../builders/request.ts";

const answered: Answered = {
  kind: "backups",
  outcome: { code: "limit_set" },
  result: "patched",
  seconds: 0.002,
  request: aRequest({ object: aBackup() }),
};
const COUNT = /requests_total{kind="backups",operation="CREATE",outcome="patched",code="limit_set"} (\d+)/;
const OBSERVED = /duration_seconds_count{kind="backups"} (\d+)/;

async function countedAfter(times: number, flushes: number): Promise<(string | undefined)[]> {
  const metrics = createMetrics();
  const tallies = createTallies(metrics);
  for (let time = 0; time < times; time += 1) {
    tallies.count(answered);
  }
  for (let flush = 0; flush < flushes; flush += 1) {
    tallies.flush();
  }
  const text = await metrics.registry.metrics();
  return [COUNT, OBSERVED].map((pattern) => pattern.exec(text)?.[1]);
}

for (const times of [1, 499, 500, 501, 1_234]) {
  test(`${times} answers are counted and timed once each`, async () => {
    assert.deepEqual(await countedAfter(times, 1), [String(times), String(times)]);
    assert.deepEqual(await countedAfter(times, 2), [String(times), String(times)]);
  });
}

test("metrics are told of many answers before they are read", async () => {
  assert.deepEqual(await countedAfter(600, 0), ["500", "500"]);
});

test("a kind that no rule handles is not a label of its own", async () => {
  const metrics = createMetrics();
  const tallies = createTallies(metrics);
  for (const kind of ["pods", "secrets"]) {
    tallies.count({ ...answered, kind, outcome: { code: "not_handled" }, result: "unchanged" });
  }
  tallies.flush();
  assert.match(
    await metrics.registry.metrics(),
    /requests_total{kind="other",operation="CREATE",outcome="unchanged",code="not_handled"} 2/,
  );
});
