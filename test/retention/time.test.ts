import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { bucketsOf } from "../../src/retention/buckets.ts";
import { formatTime, periodOf, timeOf } from "../../src/retention/time.ts";
import type { Period } from "../../src/retention/time.ts";

describe("timeOf", () => {
  const cases: Record<string, [text: string | null | undefined, want: number | undefined]> = {
    "reads whole seconds": ["2026-11-24T12:00:00Z", 1_795_521_600_000],
    "reads microseconds": ["2026-11-24T12:00:00.500000Z", 1_795_521_600_500],
    "reads another zone": ["2026-11-24T13:00:00+01:00", 1_795_521_600_000],
    "says nothing of nothing": [undefined, undefined],
    "says nothing of null": [null, undefined],
    "says nothing of other texts": ["yesterday", undefined],
    "says nothing of other texts of that length": ["2026-11-24T12:00:0xZ", undefined],
  };
  for (const [name, [text, want]] of Object.entries(cases)) {
    test(name, () => assert.equal(timeOf(text), want));
  }
  test("reads what formatTime writes", () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 4_000_000_000 }), (seconds) => {
        assert.equal(timeOf(formatTime(seconds * 1000)), seconds * 1000);
      }),
    );
  });
  test("formatTime says nothing of what no calendar holds", () => assert.equal(formatTime(Infinity), ""));
});

describe("periodOf", () => {
  const same: Record<Period, [string, string][]> = {
    hourly: [["2026-11-24T12:00:00Z", "2026-11-24T12:59:59Z"]],
    daily: [["2026-11-24T00:00:00Z", "2026-11-24T23:59:59Z"]],
    // A Monday to a Sunday, over the end of a year.
    weekly: [
      ["2026-12-28T00:00:00Z", "2027-01-03T23:59:59Z"],
      ["2026-11-23T00:00:00Z", "2026-11-29T23:59:59Z"],
    ],
    monthly: [["2026-11-01T00:00:00Z", "2026-11-30T23:59:59Z"]],
  };
  for (const period of ["hourly", "daily", "weekly", "monthly"] as const) {
    test(`${period} begins and ends where it should`, () => {
      for (const [first = "", last = ""] of same[period]) {
        const [from, to] = [timeOf(first) ?? 0, timeOf(last) ?? 0];
        assert.equal(periodOf(from, period), periodOf(to, period));
        assert.equal(periodOf(from - 1000, period), periodOf(from, period) - 1);
        assert.equal(periodOf(to + 1000, period), periodOf(from, period) + 1);
      }
    });
  }
});

test("bucketsOf names every bucket that keeps one", () => {
  const hour = 3_600_000;
  const times = [50, 49.5, 30, 2].map((hours, index) => ({ key: `k${index}`, takenMs: hours * hour }));
  const kept = bucketsOf(times, { hourly: 2, daily: 2, weekly: 1, monthly: 0 });
  assert.deepEqual(
    [...kept],
    [
      ["k0", ["hourly", "daily", "weekly"]],
      ["k1", ["hourly"]],
      ["k2", ["daily"]],
    ],
  );
});
