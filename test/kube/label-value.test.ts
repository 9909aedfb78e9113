import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { isLabelValue, toLabelValue, toSafeLabelValue } from "../../src/kube/label-value.ts";

/** Kubernetes' own words (k8s.io/apimachinery/pkg/util/validation, IsValidLabelValue). */
const KUBERNETES = /^(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?$/;

function isValid(value: string): boolean {
  return value.length <= 63 && KUBERNETES.test(value);
}

/*
 * Velero's label.GetValidName: 63 characters stay; else 57 and six of the SHA-256's hex digits. The digests are
 * those of sha256sum, not of this code: printf '%s' "$name" | sha256sum | cut -c1-6
 */
const vectors: readonly [name: string, want: string][] = [
  ["", ""],
  ["nightly", "nightly"],
  ["a".repeat(63), "a".repeat(63)],
  ["a".repeat(64), `${"a".repeat(57)}ffe054`],
  [
    "the-very-long-name-of-a-schedule-in-some-cluster-20261123100000-with-more",
    "the-very-long-name-of-a-schedule-in-some-cluster-2026112369a32b",
  ],
  [`shop.${"data-".repeat(20)}0`, "shop.data-data-data-data-data-data-data-data-data-data-da93f166"],
];

describe("toLabelValue", () => {
  for (const [name, want] of vectors) {
    test(`shortens ${name.length} characters as Velero does`, () => {
      assert.equal(toLabelValue(name), want);
    });
  }

  test("gives names of Kubernetes objects as valid label values", () => {
    const name = fc.stringMatching(/^[a-z0-9]([-a-z0-9.]{0,200}[a-z0-9])?$/);
    fc.assert(fc.property(name, (candidate) => assert.ok(isValid(toLabelValue(candidate)))));
  });

  test("shortens any name as an independent reading of Velero's code does", async () => {
    await fc.assert(
      fc.asyncProperty(fc.string({ unit: "grapheme-ascii", minLength: 60, maxLength: 120 }), async (name) => {
        assert.equal(toLabelValue(name), name.length > 63 ? name.slice(0, 57) + (await sha6(name)) : name);
      }),
    );
  });
});

describe("toSafeLabelValue", () => {
  test("leaves a valid label value", () => {
    for (const text of ["", "a", "app.data", "A_b-1.c", "x".repeat(63)]) {
      assert.equal(toSafeLabelValue(text), text);
    }
  });
  test("shortens a long name as toLabelValue does", () => {
    assert.equal(toSafeLabelValue("a".repeat(64)), toLabelValue("a".repeat(64)));
  });
  test("writes other characters as dashes, with the digest", async () => {
    assert.equal(toSafeLabelValue("pool/vol 1"), `pool-vol-1-${await sha6("pool/vol 1")}`);
    assert.equal(toSafeLabelValue("-a"), `a-${await sha6("-a")}`);
    assert.equal(toSafeLabelValue("a-"), `a--${await sha6("a-")}`);
    assert.equal(toSafeLabelValue("///"), await sha6("///"));
  });
  test("gives a valid label value for any text", () => {
    const texts = fc.oneof(
      fc.string({ unit: "binary", maxLength: 100 }),
      fc.string({ unit: fc.constantFrom(...Array.from("-_./ aZ9é")), maxLength: 100 }),
    );
    fc.assert(
      fc.property(texts, (text) => {
        assert.ok(isValid(toSafeLabelValue(text)), toSafeLabelValue(text));
      }),
      { numRuns: 500 },
    );
  });
  test("keeps texts apart that read alike", () => {
    // All of them read "volume-nn"; a fixed set, since six hex digits do meet among enough.
    const texts = Array.from({ length: 600 }, (_, n) => `volume${String.fromCodePoint(0x21a + n)}${n % 10}`);
    assert.equal(new Set(texts.map(toSafeLabelValue)).size, texts.length);
  });
});

test("isLabelValue judges as Kubernetes does", () => {
  const texts = fc.string({ unit: fc.constantFrom(...Array.from("aZ0-_. /\n")), maxLength: 70 });
  fc.assert(
    fc.property(texts, (text) => {
      assert.equal(isLabelValue(text), isValid(text));
    }),
  );
  for (const length of [62, 63, 64]) {
    assert.equal(isLabelValue("a".repeat(length)), length <= 63);
  }
});

async function sha6(text: string): Promise<string> {
  const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(text));
  return Buffer.from(digest).toString("hex").slice(0, 6);
}
