import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";

import { withLock } from "./lock.ts";

test("work under one lock never overlaps", async (t) => {
  const file = await aLockFile(t);
  let inside = 0;
  let most = 0;
  async function work(): Promise<void> {
    most = Math.max(most, ++inside);
    await delay(20);
    inside--;
  }
  await Promise.all([1, 2, 3].map(async () => withLock(file, work)));
  assert.equal(most, 1);
});

test("a lock left by a dead process does not hold", async (t) => {
  const file = await aLockFile(t);
  // Above the largest pid that Linux gives.
  await writeFile(file, "4194305");
  assert.equal(await withLock(file, async () => "done"), "done");
});

test("failed work gives the lock back", async (t) => {
  const file = await aLockFile(t);
  await assert.rejects(
    withLock(file, async () => Promise.reject(new Error("no"))),
    /no/,
  );
  assert.equal(await withLock(file, async () => "done"), "done");
});

async function aLockFile(t: { after(clean: () => Promise<void>): void }): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), "lock-"));
  t.after(async () => rm(directory, { recursive: true }));
  return join(directory, "build.lock");
}
