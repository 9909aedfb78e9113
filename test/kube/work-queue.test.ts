import assert from "node:assert/strict";
import { test } from "node:test";
import { createWorkQueue } from "../../src/kube/work-queue.ts";
import { backoffMs, createQueueState, REPEAT_MS } from "../../src/kube/work-queue-state.ts";
import type { Outcome, QueueState } from "../../src/kube/work-queue-state.ts";

interface Item {
  readonly key: string;
  readonly print: string;
}

const RULES = { keyOf: (item: Item) => item.key, printOf: (item: Item) => item.print };

function anItem(key: string, print = "1"): Item {
  return { key, print };
}

function aState(...items: Item[]): QueueState<Item> {
  const state = createQueueState(RULES);
  state.replace(items);
  return state;
}

/** Takes and ends the next item at this time, which must be there. */
function run(state: QueueState<Item>, outcome: Outcome, now = 0): void {
  const taken = state.take(now);
  assert.ok("item" in taken);
  state.finish({ item: taken.item, outcome, now, random: 1 });
}

test("items start in the order of the plan, one a key", () => {
  const state = aState(anItem("b"), anItem("a"), anItem("b", "2"));
  assert.deepEqual(state.take(0), { item: anItem("b") });
  assert.deepEqual(state.take(0), { item: anItem("a") });
  assert.deepEqual(state.take(0), { wakeAt: undefined });
});

test("a key that runs is not started again until it has ended, and then with the newest plan's item", () => {
  const state = aState(anItem("a"));
  state.take(0);
  state.replace([anItem("a", "2")]);
  assert.deepEqual(state.take(0), { wakeAt: undefined });
  state.finish({ item: anItem("a"), outcome: { kind: "done" }, now: 0, random: 0 });
  assert.deepEqual(state.take(0), { item: anItem("a", "2") });
});

test("what the plan no longer holds is not retried", () => {
  const state = aState(anItem("a"));
  run(state, { kind: "failed" });
  state.replace([]);
  assert.deepEqual(state.take(1e9), { wakeAt: undefined });
});

test("what the plan dropped while it ran is forgotten with its failure", () => {
  const state = aState(anItem("a"));
  state.take(0);
  state.replace([]);
  assert.deepEqual(state.count(), { depth: 1, retrying: 0 });
  state.finish({ item: anItem("a"), outcome: { kind: "failed" }, now: 0, random: 0 });
  assert.deepEqual(state.count(), { depth: 0, retrying: 0 });
});

test("what is done and asked for again unchanged waits for the watches", () => {
  const state = aState(anItem("a"));
  run(state, { kind: "done" });
  state.replace([anItem("a")]);
  assert.deepEqual(state.take(0), { wakeAt: REPEAT_MS });
  assert.deepEqual(state.take(REPEAT_MS), { item: anItem("a") });
});

test("what is done and asked for anew starts at once", () => {
  const state = aState(anItem("a"));
  run(state, { kind: "done" });
  state.replace([anItem("a", "2")]);
  assert.deepEqual(state.take(0), { item: anItem("a", "2") });
});

test("failures wait ever longer, whatever else changes, until one attempt succeeds", () => {
  const state = aState(anItem("a"));
  run(state, { kind: "failed" }, 0);
  state.replace([anItem("a", "2")]);
  assert.deepEqual(state.take(0), { wakeAt: 500 });
  run(state, { kind: "failed" }, 500);
  assert.deepEqual(state.take(500), { wakeAt: 1_500 });
  assert.deepEqual(state.count(), { depth: 1, retrying: 1 });
  run(state, { kind: "done" }, 1_500);
  assert.deepEqual(state.count(), { depth: 1, retrying: 0 });
});

test("a failure of one key holds up no other", () => {
  const state = aState(anItem("a"), anItem("b"));
  run(state, { kind: "failed" });
  assert.deepEqual(state.take(0), { item: anItem("b") });
});

test("what has to wait is no failure", () => {
  const state = aState(anItem("a"));
  run(state, { kind: "again", afterMs: 30 });
  assert.deepEqual(state.take(29), { wakeAt: 30 });
  assert.deepEqual(state.count(), { depth: 1, retrying: 0 });
});

test("what waits starts at once when something else is asked for", () => {
  const state = aState(anItem("a"));
  run(state, { kind: "again", afterMs: 30 });
  state.replace([anItem("a", "2")]);
  assert.deepEqual(state.take(0), { item: anItem("a", "2") });
});

test("the soonest of those that wait says when to wake", () => {
  const state = aState(anItem("a"), anItem("b"));
  run(state, { kind: "again", afterMs: 30 });
  run(state, { kind: "again", afterMs: 10 });
  assert.deepEqual(state.take(0), { wakeAt: 10 });
});

test("backoff doubles, ends at a minute, and is spread over its upper half", () => {
  assert.deepEqual(
    [0, 1, 2, 6, 7, 2000].map((failures) => backoffMs(failures, 0)),
    [250, 500, 1_000, 16_000, 30_000, 30_000],
  );
  assert.deepEqual(
    [0, 1, 2, 6, 7, 2000].map((failures) => backoffMs(failures, 0.5)),
    [375, 750, 1_500, 24_000, 45_000, 45_000],
  );
});

test("the queue works on as many items as it may, and on the rest as these end", async () => {
  const gates = new Map(["a", "b", "c"].map((key) => [key, Promise.withResolvers<Outcome>()]));
  const started: string[] = [];
  const queue = createWorkQueue<Item>({
    ...RULES,
    concurrency: 2,
    clock: () => 0,
    random: () => 0,
    signal: new AbortController().signal,
    async work({ key }) {
      started.push(key);
      return (await gates.get(key)?.promise) ?? { kind: "failed" };
    },
  });
  queue.replace([anItem("a"), anItem("b"), anItem("c")]);
  assert.deepEqual(started, ["a", "b"]);
  gates.get("b")?.resolve({ kind: "done" });
  await new Promise(setImmediate);
  assert.deepEqual(started, ["a", "b", "c"]);
  gates.get("a")?.resolve({ kind: "done" });
  gates.get("c")?.resolve({ kind: "done" });
  await queue.drain(60_000);
});

test("after the signal nothing is started", async () => {
  const over = new AbortController();
  const started: string[] = [];
  const queue = createWorkQueue<Item>({
    ...RULES,
    concurrency: 1,
    clock: () => 0,
    random: () => 0,
    signal: over.signal,
    async work({ key }) {
      started.push(key);
      over.abort();
      return { kind: "done" };
    },
  });
  queue.replace([anItem("a"), anItem("b")]);
  await queue.drain(60_000);
  queue.replace([anItem("c")]);
  assert.deepEqual(started, ["a"]);
});
