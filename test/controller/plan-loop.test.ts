import assert from "node:assert/strict";
import { test } from "node:test";
import { startPlanLoop } from "../../src/controller/plan-loop.ts";

/** A loop whose looks are announced one after another. */
function aLoop(recheckAt: () => number | undefined = () => undefined): {
  loop: ReturnType<typeof startPlanLoop>;
  over: AbortController;
  looks: () => number;
  look: (count: number) => Promise<void>;
} {
  const over = new AbortController();
  const waiting = new Map<number, () => void>();
  let looks = 0;
  const loop = startPlanLoop({
    now: Date.now,
    signal: over.signal,
    look() {
      looks += 1;
      waiting.get(looks)?.();
      return recheckAt();
    },
  });
  async function look(count: number): Promise<void> {
    return new Promise((resolve) => {
      waiting.set(count, resolve);
      if (looks >= count) resolve();
    });
  }
  return { loop, over, looks: () => looks, look };
}

test("a loop looks at once, and again after any number of rings in a burst", async () => {
  const { loop, over, looks, look } = aLoop();
  await look(1);
  for (let ring = 0; ring < 100; ring++) loop.ring(ring % 2 === 0);
  assert.equal(looks(), 1);
  await look(2);
  await new Promise((resolve) => setTimeout(resolve, 100));
  assert.equal(looks(), 2, "one look answers all rings before it");
  over.abort();
});

test("a loop looks again when the plan says that time will change it", async () => {
  const { over, look } = aLoop(() => Date.now() + 5);
  await look(3);
  over.abort();
});

test("an urgent ring does not wait for the end of a burst", async () => {
  const order: string[] = [];
  const { loop, over, look } = aLoop();
  await look(1);
  loop.ring(false);
  setTimeout(() => order.push("the burst's time"), 50);
  loop.ring(true);
  await look(2);
  assert.deepEqual(order, []);
  over.abort();
});

test("after its signal a loop looks no more", async () => {
  const { loop, over, looks, look } = aLoop(() => Date.now() + 1);
  await look(1);
  over.abort();
  loop.ring(true);
  const before = looks();
  await new Promise((resolve) => setTimeout(resolve, 80));
  assert.equal(looks(), before);
});
