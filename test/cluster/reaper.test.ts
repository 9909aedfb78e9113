import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";

// Starts a component that would run on for a minute, prints its pid, and then waits to be killed.
const PARENT = `
  import { createComponents } from ${JSON.stringify(join(import.meta.dirname, "components.ts"))};
  const components = createComponents(process.argv[1]);
  const logFile = process.argv[1] + ".log";
  await components.start({ name: "sleep", command: "sleep", args: ["60"], logFile, readyWithinMs: 1000 });
  process.stdout.write(String(components.pidOf("sleep")));
  setInterval(() => undefined, 60_000);
`;

for (const signal of ["SIGKILL", "SIGINT", "SIGTERM"] as const) {
  test(`components do not outlive a parent that ${signal} ends`, async (t) => {
    const directory = await mkdtemp(join(tmpdir(), "reaper-"));
    t.after(async () => rm(directory, { recursive: true }));
    const scratch = await mkdtemp(join(directory, "scratch-"));
    const parent = spawn(process.execPath, ["--input-type=module-typescript", "-e", PARENT, scratch], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    const pid = Number(String((await once(parent.stdout, "data"))[0]));
    assert.ok(isAlive(pid));
    parent.kill(signal);
    await once(parent, "exit");
    for (let tries = 0; isAlive(pid) && tries < 100; tries++) await delay(50);
    assert.equal(isAlive(pid), false);
    for (let tries = 0; existsSync(scratch) && tries < 100; tries++) await delay(50);
    assert.equal(existsSync(scratch), false);
  });
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}
