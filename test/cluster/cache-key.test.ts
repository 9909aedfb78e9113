import assert from "node:assert/strict";
import { test } from "node:test";

import { cacheKey, type BuildInput } from "./cache-key.ts";

const INPUT: BuildInput = {
  files: { "go.mod": "module m\n", "main.go": "package main\n" },
  settings: ["linux", "amd64"],
};

test("the order in which files were found makes no difference", () => {
  const files = Object.fromEntries(Object.entries(INPUT.files).toReversed());
  assert.equal(cacheKey({ ...INPUT, files }), cacheKey(INPUT));
});

const changes: Record<string, BuildInput> = {
  "a changed file": { ...INPUT, files: { ...INPUT.files, "main.go": "package main // 2\n" } },
  "a renamed file": { ...INPUT, files: { "go.mod": "module m\n", "other.go": "package main\n" } },
  "a further file": { ...INPUT, files: { ...INPUT.files, "go.sum": "" } },
  "another setting": { ...INPUT, settings: ["linux", "arm64"] },
  "text moved from one file to the next": {
    ...INPUT,
    files: { "go.mod": "module m\npackage main\n", "main.go": "" },
  },
};

for (const [name, changed] of Object.entries(changes)) {
  test(`${name} makes another key`, () => {
    assert.notEqual(cacheKey(changed), cacheKey(INPUT));
  });
}
