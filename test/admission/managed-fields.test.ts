import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { withoutManagedFields } from "../../src/admission/managed-fields.ts";

const text = fc.oneof(
  fc.string({ unit: "binary" }),
  fc.constantFrom('"', "\\", '\\"', "]", "[]", '"managedFields":[', '"managedFields":[]', "managedFields"),
);
const key = text.filter((found) => !/(^|")managedFields$/.test(found));
const { value } = fc.letrec((tie) => ({
  value: fc.oneof({ maxDepth: 4 }, text, fc.double({ noNaN: true }), tie("list"), tie("object")),
  list: fc.array(tie("value"), { maxLength: 3 }),
  object: fc.dictionary(key, tie("value"), { maxKeys: 3 }),
}));
/** As the API server writes entries: objects and texts of any depth, and no lists. */
const { entry } = fc.letrec((tie) => ({
  entry: fc.dictionary(text, fc.oneof({ maxDepth: 3 }, text, tie("entry")), { maxKeys: 3 }),
}));
const entries = fc.array(entry, { maxLength: 3 });

describe("withoutManagedFields", () => {
  test("leaves an empty list, and everything else as it was", () => {
    fc.assert(
      fc.property(value, value, entries, entries, (before, after, first, second) => {
        function review(...lists: readonly unknown[]): string {
          const [object, oldObject] = lists.map((managedFields) => ({ metadata: { managedFields, after } }));
          return JSON.stringify({ before, object, oldObject });
        }
        const rest = withoutManagedFields(review(first, second));
        assert.deepEqual(JSON.parse(rest), JSON.parse(review([], [])));
      }),
      { numRuns: 1_000 },
    );
  });

  test("gives a text without managedFields back as it is", () => {
    const body = JSON.stringify({ metadata: { annotations: { a: '"managedFields":[]', b: "]" } } });
    assert.equal(withoutManagedFields(body), body);
  });

  test("does not look through a body that is long by something else", () => {
    const body = JSON.stringify({ managedFields: [{ manager: "kubectl" }], long: "x".repeat(64 * 1024) });
    assert.equal(withoutManagedFields(body), body);
  });
});
