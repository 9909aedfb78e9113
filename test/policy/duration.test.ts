import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { Duration, formatDuration, millisecondsOf } from "../../src/policy/duration.ts";

describe("Duration", () => {
  const valid: Record<string, number> = {
    "5s": 5000,
    "1m30s": 90_000,
    "72h": 259_200_000,
    "14d": 1_209_600_000,
    "1h0m0s": 3_600_000,
    "1.5h": 5_400_000,
    "250ms": 250,
    "0s": 0,
  };
  for (const [text, want] of Object.entries(valid)) {
    test(`reads ${text}`, () => assert.equal(Duration.parse(text), want));
  }
  for (const text of ["", "5", "5 s", "s", "-5s", "1w", "5s ", "1h,2m", 5]) {
    test(`refuses ${JSON.stringify(text)}`, () => assert.equal(Duration.safeParse(text).success, false));
  }
  test("is nothing in what is none", () => assert.equal(millisecondsOf("soon"), 0));
});

describe("formatDuration", () => {
  const cases: Record<string, string> = {
    "0s": "0 s",
    "999ms": "0 s",
    "59s": "59 s",
    "61s": "1 min 1 s",
    "1h": "1 h",
    "3d4h5m": "3 d 4 h",
    "3d5m": "3 d",
  };
  for (const [text, want] of Object.entries(cases)) {
    test(`writes ${text} as ${want}`, () => assert.equal(formatDuration(millisecondsOf(text)), want));
  }
});
