import assert from "node:assert/strict";
import { test } from "node:test";

import { estimate, type BuildState } from "./estimate.ts";

// d imports c and c imports b; a stands alone.
const PACKAGES = [
  { importPath: "a", bytes: 1_000_000, imports: [] },
  { importPath: "b", bytes: 1_000_000, imports: [] },
  { importPath: "c", bytes: 1_000_000, imports: ["b"] },
  { importPath: "d", bytes: 1_000_000, imports: ["c"] },
];

function aState(overrides: Partial<BuildState> = {}): BuildState {
  return {
    packages: PACKAGES,
    started: new Set(),
    programs: 1,
    linked: 0,
    elapsedMs: 0,
    cores: 1,
    ...overrides,
  };
}

test("before anything is compiled, everything is still to do", () => {
  const { compiled, toCompile, fraction, remainingMs } = estimate(aState());
  assert.deepEqual({ compiled, toCompile, fraction }, { compiled: 0, toCompile: 4, fraction: 0 });
  assert.ok(remainingMs > 0);
});

test("what is still being compiled does not count as done", () => {
  const { compiled } = estimate(aState({ started: new Set(["a", "b", "c"]), cores: 2 }));
  assert.equal(compiled, 1);
});

test("what a package being compiled imports is there already, from Go's cache, and does not count", () => {
  const { compiled, toCompile } = estimate(aState({ started: new Set(["d"]) }));
  assert.deepEqual({ compiled, toCompile }, { compiled: 0, toCompile: 2 });
});

test("a package is not taken for cached because Go compiles another one first", () => {
  const { toCompile } = estimate(aState({ started: new Set(["c", "b"]) }));
  assert.equal(toCompile, 4);
});

test("with every package begun the programs are being linked, and the estimate ends at nothing", () => {
  const started = new Set(["a", "b", "c", "d"]);
  assert.equal(estimate(aState({ started: new Set(["a"]) })).isLinking, false);
  const half = estimate(aState({ started, programs: 2, linked: 1, elapsedMs: 60_000 }));
  assert.ok(half.isLinking && half.fraction < 1 && half.remainingMs > 0);
  const whole = estimate(aState({ started, programs: 2, linked: 2, elapsedMs: 70_000 }));
  assert.deepEqual([whole.fraction, whole.remainingMs], [1, 0]);
});

test("a build that is slower than assumed has its remaining time raised", () => {
  const started = new Set(["a", "b"]);
  const fast = estimate(aState({ started, elapsedMs: 10_000 }));
  const slow = estimate(aState({ started, elapsedMs: 100_000 }));
  assert.ok(slow.remainingMs > fast.remainingMs);
});

test("nothing to build is finished", () => {
  const { fraction, remainingMs } = estimate(aState({ packages: [], programs: 0 }));
  assert.deepEqual([fraction, remainingMs], [1, 0]);
});
