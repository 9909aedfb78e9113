import assert from "node:assert/strict";
import { mkdir, mkdtemp, readdir, rm, utimes, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";

import { cacheDirectory, markUsed, removeUnused } from "./cache-directory.ts";

const DAY_MS = 24 * 60 * 60 * 1000;

test("the cache is where XDG_CACHE_HOME says", () => {
  assert.equal(cacheDirectory({ XDG_CACHE_HOME: "/elsewhere" }), "/elsewhere/snapshot-retainer");
});

test("an empty XDG_CACHE_HOME counts as none", () => {
  assert.match(cacheDirectory({ XDG_CACHE_HOME: "" }), /\/\.cache\/snapshot-retainer$/);
});

test("builds unused for two weeks are removed, and nothing else is", async (t) => {
  const cache = await mkdtemp(join(tmpdir(), "cache-"));
  t.after(async () => rm(cache, { recursive: true }));
  const now = new Date();
  const longAgo = new Date(now.getTime() - 15 * DAY_MS);
  for (const name of ["bin-old", "bin-used", "bin-new"]) await mkdir(join(cache, name));
  await writeFile(join(cache, "notes"), "");
  for (const name of ["bin-old", "bin-used", "notes"]) await utimes(join(cache, name), longAgo, longAgo);
  await markUsed(join(cache, "bin-used"));
  await removeUnused(cache, now);
  assert.deepEqual((await readdir(cache)).sort(), ["bin-new", "bin-used", "notes"]);
});
