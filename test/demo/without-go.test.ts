import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { promisify } from "node:util";

test("without Go the demo gives the offline tour, says what to install, and ends well", async (t) => {
  const empty = await mkdtemp(join(tmpdir(), "retainer-demo-"));
  t.after(async () => rm(empty, { recursive: true, force: true }));
  const env = { PATH: empty, HOME: empty, XDG_CACHE_HOME: empty };
  const { stdout, stderr } = await promisify(execFile)(process.execPath, ["test/demo/main.ts"], { env });
  assert.match(stdout, /^CREATE Backup velero\/nightly-1 .*: limit_overwritten$/m);
  assert.match(stdout, /^ +\+ +velero\.io\/snapshot-volume-name: prod-shop\.data$/m);
  assert.match(stdout, /Install it from\s+https:\/\/go\.dev\/dl/);
  assert.ok(!stdout.includes("\u001B"), "plain where there is no terminal");
  assert.equal(stderr, "");
});
