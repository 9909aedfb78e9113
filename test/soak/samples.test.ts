import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { judge, renderVerdicts, slope } from "./samples.ts";
import type { Measured, Thresholds } from "./samples.ts";

const MOST: Thresholds = {
  per: "1,000 admissions",
  perCount: 1_000,
  heapPer: 1_000,
  rssMiB: 200,
  moreFiles: 4,
  moreTimers: 4,
  lagP99Ms: 50,
};

/** A run of 40 samples; `grow` is what each sample has more than the one before. */
function aRun(grow: {
  readonly heap?: number;
  readonly files?: number;
  readonly timers?: number;
}): Measured[] {
  const { heap = 0, files = 0, timers = 0 } = grow;
  return Array.from({ length: 40 }, (_, index) => ({
    done: 10_000 * index,
    heap: 2e7 + heap * index,
    rss: 1e8,
    files: 40 + files * index,
    timers: 10 + timers * index,
    lagMs: 12,
    lagP99Ms: 11,
  }));
}

function missed(run: readonly Measured[]): string[] {
  return judge("webhook", run, MOST)
    .filter(({ ok }) => !ok)
    .map(({ what }) => what);
}

describe("a soak", () => {
  test("of a process that keeps nothing passes", () => assert.deepEqual(missed(aRun({})), []));
  test("finds two bytes that stay of each admission", () => {
    assert.deepEqual(missed(aRun({ heap: 20_000 })), ["webhook: live heap for 1,000 admissions"]);
  });
  test("finds a file that stays open now and then", () => {
    assert.deepEqual(missed(aRun({ files: 1 })), ["webhook: more open files"]);
  });
  test("finds a timer that stays", () =>
    assert.deepEqual(missed(aRun({ timers: 1 })), ["webhook: more timers"]));
  test("does not mind what a process takes at first", () => {
    const run = aRun({}).map((sample, index) => ({
      ...sample,
      heap: sample.heap + Math.min(index, 15) * 1e6,
    }));
    assert.deepEqual(missed(run), []);
  });
  test("tells of each threshold in a line", () => {
    assert.match(renderVerdicts(judge("webhook", aRun({}), MOST)), /more timers +0\.0 +4  ok/);
  });
});

test("a slope is what grows for each", () => {
  assert.equal(slope([1, 2, 3, 4].map((x) => ({ x, y: 3 * x + 5 }))), 3);
  assert.equal(slope([{ x: 1, y: 1 }]), 0);
});
