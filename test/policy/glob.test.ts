import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { matchesGlob } from "../../src/policy/glob.ts";

const velero = "system:serviceaccount:velero:velero-server";
const cases: readonly [glob: string, text: string, want: boolean][] = [
  ["velero", "velero", true],
  ["velero", "velero2", false],
  ["", "", true],
  ["", "a", false],
  ["*", "", true],
  ["*", velero, true],
  ["**", velero, true],
  ["system:serviceaccount:velero:*", velero, true],
  ["system:serviceaccount:velero:*", "system:serviceaccount:velero:", true],
  ["system:serviceaccount:velero:*", "system:serviceaccount:velero-tenant:velero", false],
  ["system:serviceaccount:velero:*", "x:system:serviceaccount:velero:velero", false],
  ["*:velero:*-server", velero, true],
  ["*:velero:*-serve", velero, false],
  ["prod-*", "prod-eu", true],
  ["prod-*", "preprod-eu", false],
  ["prod-?", "prod-1", true],
  ["prod-?", "prod-", false],
  ["prod-?", "prod-12", false],
  ["*/admin", "example.com/team/admin", true],
  ["a?b", "a/b", true],
  ["*", "first\nsecond", true],
  ["*", ".hidden", true],
  ["a.b", "axb", false],
  ["a(b|c)", "ab", false],
  ["[ab]", "a", false],
  ["[ab]", "[ab]", true],
  ["!a", "b", false],
  ["{a,b}", "a", false],
  ["a\\*", "a*", false],
  ["a+b@example.com", "a+b@example.com", true],
];

for (const [glob, text, want] of cases) {
  test(`${JSON.stringify(glob)} ${want ? "matches" : "does not match"} ${JSON.stringify(text)}`, () => {
    assert.equal(matchesGlob(text, glob), want);
  });
}

test("a glob means what the regular expression of its stars and question marks means", () => {
  const text = fc.string({ unit: fc.constantFrom("a", "b", ":", "-", "/"), maxLength: 12 });
  const glob = fc.string({ unit: fc.constantFrom("a", "b", ":", "/", "*", "?", "*"), maxLength: 8 });
  fc.assert(
    fc.property(text, glob, (candidate, pattern) => {
      const parts = pattern.replaceAll("*", ".*").replaceAll("?", ".");
      assert.equal(matchesGlob(candidate, pattern), new RegExp(`^${parts}$`, "s").test(candidate));
    }),
    { numRuns: 5000 },
  );
});

test("a glob with regular expression's signs matches itself", () => {
  fc.assert(
    fc.property(fc.string(), (text) => {
      assert.ok(matchesGlob(text, text.replaceAll("?", "*")));
    }),
  );
});

test("a username made to be slow costs no more than lengths multiplied", () => {
  // As a regular expression this takes far longer than the age of the universe.
  assert.equal(matchesGlob("a".repeat(5_000), `${"*a".repeat(50)}*b`), false);
});
