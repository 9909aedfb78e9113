import assert from "node:assert/strict";
import { after, describe, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { createDeadline } from "../../src/server/deadline.ts";

const MS = 100;
// The deadline's own timer keeps no process alive, and in some of these tests nothing else would.
const alive = setInterval(() => undefined, 1_000);
after(() => clearInterval(alive));

async function never(): Promise<string> {
  return new Promise(() => undefined);
}

function aDeadline(): ReturnType<typeof createDeadline> {
  return createDeadline(MS, () => performance.now());
}

describe("a deadline", () => {
  test("gives the value of what ends in time", async () => {
    assert.equal(await aDeadline()(Promise.resolve("done"), "late"), "done");
    assert.equal(await aDeadline()(sleep(MS / 2, "done"), "late"), "done");
  });

  test("gives the other value for what does not, no sooner than then", async () => {
    const start = performance.now();
    assert.equal(await aDeadline()(never(), "late"), "late");
    assert.ok(performance.now() - start >= MS);
  });

  test("rejects as the promise does, always with an error", async () => {
    const error = new Error("x");
    await assert.rejects(aDeadline()(Promise.reject(error), "late"), error);
    const reason: unknown = "text";
    await assert.rejects(aDeadline()(rejectWith(reason), "late"), { cause: "text" });
  });

  test("lasts for each wait from its own beginning", async () => {
    const within = aDeadline();
    const ends: string[] = [];
    async function wait(name: string, promise: Promise<string>): Promise<void> {
      ends.push(`${name} ${await within(promise, "late")}`);
    }
    const first = wait("first", never());
    await sleep(MS / 2);
    const second = wait("second", never());
    const third = wait("third", sleep(1, "done"));
    await Promise.all([first, second, third]);
    assert.deepEqual(ends, ["third done", "first late", "second late"]);
  });

  test("serves the next wait after all others ended", async () => {
    const within = aDeadline();
    assert.equal(await within(never(), "late"), "late");
    await sleep(MS);
    assert.equal(await within(never(), "late"), "late");
    assert.equal(await within(Promise.resolve("done"), "late"), "done");
  });

  test("ignores what a late promise still says", async () => {
    const late = sleep(MS * 2).then(() => {
      throw new Error("too late to matter");
    });
    assert.equal(await aDeadline()(late, undefined), undefined);
    await sleep(MS * 2);
  });
});

async function rejectWith(reason: unknown): Promise<string> {
  return Promise.reject(reason);
}
