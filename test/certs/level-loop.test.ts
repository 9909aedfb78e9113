import assert from "node:assert/strict";
import { describe, test, type TestContext } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { startLevelLoop, type LevelLoop } from "../../certs/level-loop.ts";

interface Seen {
  readonly loop: LevelLoop;
  readonly logged: string[];
  readonly stopping: AbortController;
}

function start(t: TestContext, step: () => Promise<void>, pollMs = 60_000): Seen {
  const logged: string[] = [];
  const stopping = new AbortController();
  function put(_fields: object, message: string): void {
    logged.push(message);
  }
  const log = { info: put, warn: put, error: put };
  const loop = startLevelLoop({ step, pollMs, subject: "a test", log, signal: stopping.signal });
  t.after(async () => {
    stopping.abort();
    await loop.ended;
  });
  return { loop, logged, stopping };
}

describe("startLevelLoop", () => {
  test("takes one step for many rings, and not before a second has passed", async (t) => {
    let steps = 0;
    const { loop } = start(t, async () => void steps++);
    for (let ring = 0; ring < 20; ring++) loop.ring();
    await sleep(500);
    assert.equal(steps, 1);
    await sleep(1_000);
    assert.equal(steps, 2);
    await sleep(1_500);
    assert.equal(steps, 2);
  });

  test("takes a step at each poll, without any ring", async (t) => {
    let steps = 0;
    start(t, async () => void steps++, 100);
    await sleep(2_600);
    // At 0, 1.1 and 2.2 seconds; a busy machine may be late for the last.
    assert.ok(steps === 2 || steps === 3, String(steps));
  });

  test("survives what a step throws, tries again, and logs each problem and its end once", async (t) => {
    let steps = 0;
    const { loop, logged } = start(t, async () => {
      if (++steps < 3) throw new Error("the API server cannot be reached");
    });
    await sleep(100);
    assert.equal(loop.problem(), "the API server cannot be reached");
    await sleep(5_500);
    assert.equal(steps, 3);
    assert.equal(loop.problem(), undefined);
    assert.deepEqual(logged, [
      "certificates are not in order, trying again",
      "certificates are in order again",
    ]);
  });

  test("ends with its signal, at once", async (t) => {
    const { loop, stopping } = start(t, async () => undefined);
    await sleep(50);
    const begun = performance.now();
    stopping.abort();
    await loop.ended;
    assert.ok(performance.now() - begun < 500);
  });
});
