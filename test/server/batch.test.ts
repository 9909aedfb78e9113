import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { createBatch } from "../../src/server/batch.ts";

describe("a batch", () => {
  test("handles nothing at once, and everything in order when flushed", () => {
    const handled: number[] = [];
    const batch = createBatch<number>((item) => handled.push(item), { ms: 60_000, onError: assert.ifError });
    batch.push(1);
    batch.push(2);
    assert.deepEqual(handled, []);
    batch.flush();
    assert.deepEqual(handled, [1, 2]);
    batch.flush();
    assert.deepEqual(handled, [1, 2], "nothing is handled twice");
  });

  test("handles what waits by itself, also what comes after a flush", async () => {
    const handled: number[] = [];
    const batch = createBatch<number>((item) => handled.push(item), { ms: 1, onError: assert.ifError });
    batch.push(1);
    batch.flush();
    batch.push(2);
    for (let tries = 0; tries < 500 && handled.length < 2; tries += 1) {
      await sleep(10);
    }
    assert.deepEqual(handled, [1, 2]);
  });

  test("loses no item to one that throws, and tells of that one", () => {
    const handled: number[] = [];
    const errors: unknown[] = [];
    const failure = new Error("one");
    const batch = createBatch<number>(
      (item) => {
        if (item === 1) {
          throw failure;
        }
        handled.push(item);
      },
      { ms: 60_000, onError: (error) => errors.push(error) },
    );
    batch.push(1);
    batch.push(2);
    batch.flush();
    assert.deepEqual(handled, [2]);
    assert.deepEqual(errors, [failure]);
  });
});
