import assert from "node:assert/strict";
import { test } from "node:test";
import { createStopwatch } from "../../certs/stopwatch.ts";

test("a stopwatch counts how long a picture has been the same, and from none where it changes", () => {
  let now = 0;
  const watch = createStopwatch(() => now);
  const seen = (
    [
      [100, "a"],
      [150, "a"],
      [170, "b"],
      [200, "b"],
      [210, "a"],
    ] as const
  ).map(([at, picture]) => {
    now = at;
    return watch.elapsed(picture);
  });
  assert.deepEqual(seen, [0, 50, 0, 30, 0]);
});
