import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { volumeNameOf } from "../../src/admission/original.ts";
import { aPolicy } from "../builders/policy.ts";

/** A namespace with room for its dot within the 57 characters that a shortened label keeps. */
const namespace = fc.stringMatching(/^[a-z0-9]([-a-z0-9]{0,54}[a-z0-9])?$/);
const claim = fc.stringMatching(/^[a-z0-9]([-.a-z0-9]{0,250}[a-z0-9])?$/);

function nameOf(namespace: string, name: string): string {
  return volumeNameOf(aPolicy({}), { namespace, name }, undefined) ?? "";
}

describe("a volume's name in labels", () => {
  test("is never that of a volume in another namespace, whatever the claims are called", () => {
    fc.assert(
      fc.property(namespace, namespace, claim, claim, (one, other, ofOne, ofOther) => {
        fc.pre(one !== other);
        const label = nameOf(one, ofOne);
        // What somebody would call a claim who wants the other's label: that label, and what follows the first dot of it.
        const made = [ofOther, label, label.slice(label.indexOf(".") + 1), `${one}.${ofOne}`];
        for (const name of made) assert.notEqual(nameOf(other, name), label);
      }),
      { numRuns: 2_000 },
    );
  });

  test("can be made that of another claim in the same namespace: snapshots are not counted by it", () => {
    const long = "data-of-the-database-with-a-name-that-its-operator-generated-from-three-others-0";
    const made = nameOf("shop", long).slice("shop.".length);
    assert.notEqual(made, long);
    assert.equal(nameOf("shop", made), nameOf("shop", long));
  });

  test("is the claim's UID where the policy says so, which nobody chooses", () => {
    const byUid = aPolicy({ volumeName: "uid" });
    assert.equal(volumeNameOf(byUid, { namespace: "shop", name: "data" }, "u-1"), "u-1");
  });
});
