import assert from "node:assert/strict";
import { test } from "node:test";
import { createRecent } from "../../src/kube/recent.ts";

test("what was set or found lately is known, and what is older is forgotten", () => {
  const recent = createRecent<number>(10);
  recent.set("often", -1);
  for (let index = 0; index < 100; index += 1) {
    recent.set(`key-${index}`, index);
    assert.equal(recent.get("often"), -1, `after ${index}`);
    assert.equal(recent.get(`key-${index}`), index);
    if (index > 0) assert.equal(recent.get(`key-${index - 1}`), index - 1);
  }
  assert.equal(recent.get("key-80"), undefined);
});
