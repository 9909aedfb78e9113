import assert from "node:assert/strict";
import { mkdtemp, rename, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { watchFile } from "../../src/kube/policy-source.ts";

test("a policy file is read at once, after each change, when it is replaced, and when it is gone", async () => {
  const directory = await mkdtemp(join(tmpdir(), "snapshot-retainer-"));
  const file = join(directory, "policy.yaml");
  const stopped = new AbortController();
  const texts: (string | undefined)[] = [];
  try {
    await writeFile(file, "one");
    await watchFile(file, (text) => texts.push(text), stopped.signal);
    assert.deepEqual(texts, ["one"]);
    await writeFile(file, "two");
    await until(() => texts.at(-1) === "two");
    await writeFile(join(directory, "new"), "three");
    await rename(join(directory, "new"), file);
    await until(() => texts.at(-1) === "three");
    await rm(file);
    await until(() => texts.length > 0 && texts.at(-1) === undefined);
  } finally {
    stopped.abort();
    await rm(directory, { recursive: true });
  }
});

async function until(holds: () => boolean): Promise<void> {
  const start = performance.now();
  while (!holds()) {
    assert.ok(performance.now() - start < 10_000, "it is told within seconds");
    await new Promise((resolve) => {
      setTimeout(resolve, 10);
    });
  }
}
