import assert from "node:assert/strict";
import { test } from "node:test";

import type { BuildProgress } from "./build-module.ts";
import { createProgressPrinter, describeProgress } from "./progress-printer.ts";

function aProgress(overrides: Partial<BuildProgress> = {}): BuildProgress {
  return { module: "kubernetes", phase: "compiling", elapsedMs: 90_000, downloaded: 0, ...overrides };
}

const ESTIMATE = { compiled: 1200, toCompile: 3000, isLinking: false, fraction: 0.419, remainingMs: 125_000 };

const lines: Record<string, BuildProgress> = {
  "kubernetes: preparing, 0 s": aProgress({ phase: "preparing", elapsedMs: 0 }),
  "kubernetes: downloading modules, 12 fetched, 4 s": aProgress({
    phase: "downloading modules",
    downloaded: 12,
    elapsedMs: 4000,
  }),
  "kubernetes: compiling, 1200 of 3000 packages (41 %), 1 min 30 s, about 2 min 10 s to go": aProgress({
    estimate: ESTIMATE,
  }),
};

for (const [line, progress] of Object.entries(lines)) {
  test(`progress reads "${line}"`, () => {
    assert.equal(describeProgress(progress), line);
  });
}

test("outside a terminal a line is printed at each change of phase and every quarter of a minute", () => {
  const printed: string[] = [];
  const print = createProgressPrinter({ write: (text) => printed.push(text) });
  for (const elapsedMs of [0, 500, 14_000, 15_000, 16_000, 30_000]) print(aProgress({ elapsedMs }));
  print(aProgress({ phase: "linking", elapsedMs: 30_500 }));
  assert.deepEqual(
    printed.map((line) => line.split(", ")[1]),
    ["0 s\n", "15 s\n", "30 s\n", "31 s\n"],
  );
});

test("on a terminal one line is rewritten and ended when the build is done", () => {
  let printed = "";
  const print = createProgressPrinter({
    isTTY: true,
    write: (text) => {
      printed += text;
    },
  });
  print(aProgress());
  print(aProgress({ elapsedMs: 91_000 }));
  print(aProgress({ phase: "done", elapsedMs: 92_000 }));
  assert.equal(printed.split("\n").length, 2);
  assert.equal(printed.split("\r").length, 4);
});
