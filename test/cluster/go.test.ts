import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, test } from "node:test";

import { availableBinaries } from "./availability.ts";
import { buildBinaries } from "./build.ts";
import { GoMissing, isOlder } from "./go.ts";

const versions: [found: string, wanted: string, older: boolean][] = [
  ["1.19.8", "1.26.0", true],
  ["1.9", "1.26.0", true],
  ["1.26.0", "1.26.0", false],
  ["1.26.8", "1.26.0", false],
  ["1.26.1", "1.26.2", true],
  ["1.27rc1", "1.26.2", false],
  ["2.0", "1.26.0", false],
];

for (const [found, wanted, older] of versions) {
  test(`Go ${found} is ${older ? "too old" : "good"} where ${wanted} is asked for`, () => {
    assert.equal(isOlder(found, wanted), older);
  });
}

describe("without Go on the PATH and with nothing built", () => {
  let empty: string;
  const { PATH } = process.env;

  beforeEach(async () => {
    empty = await mkdtemp(join(tmpdir(), "no-go-"));
    process.env["PATH"] = empty;
  });
  afterEach(async () => {
    process.env["PATH"] = PATH;
    await rm(empty, { recursive: true });
  });

  test("a build says what to install", async () => {
    await assert.rejects(
      buildBinaries("demo", { environment: { XDG_CACHE_HOME: empty } }),
      (error: Error) => {
        assert.ok(error instanceof GoMissing);
        assert.match(error.message, /^Go 1\.\d+\.\d+ or newer is needed .* https:\/\/go\.dev\/dl/);
        return true;
      },
    );
  });

  test("tests are to be skipped, for that reason", async () => {
    const { skip } = await availableBinaries("demo", { XDG_CACHE_HOME: empty });
    assert.match(String(skip), /^Go .* is needed/);
  });

  test("with CI set it is a failure", async () => {
    await assert.rejects(availableBinaries("demo", { XDG_CACHE_HOME: empty, CI: "true" }), GoMissing);
  });
});
