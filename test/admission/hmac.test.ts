import assert from "node:assert/strict";
import { createHmac, randomBytes } from "node:crypto";
import { test } from "node:test";
import fc from "fast-check";
import { createHmacSha256 } from "../../src/admission/hmac.ts";

test("is node:crypto's own, for any key and any text, one after another", () => {
  for (const length of [0, 1, 32, 63, 64, 65, 200]) {
    const key = randomBytes(length);
    const sign = createHmacSha256(key);
    fc.assert(
      fc.property(fc.string({ unit: "binary", maxLength: 300 }), (text) => {
        assert.equal(sign(text), createHmac("sha256", key).update(text).digest("base64url"));
      }),
    );
  }
});

test("is node:crypto's own around the length at which it takes over", () => {
  const key = randomBytes(32);
  const sign = createHmacSha256(key);
  for (const letter of ["a", "\u00e9", "\u20ac", "\ud83d\ude00"]) {
    for (const length of [1_364, 1_365, 1_366, 2_729, 2_730, 2_731, 2_732, 8_191, 8_192, 100_000]) {
      const text = letter.repeat(length);
      assert.equal(sign(text), createHmac("sha256", key).update(text).digest("base64url"));
    }
  }
});
