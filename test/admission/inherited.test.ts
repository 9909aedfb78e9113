import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { describe, test } from "node:test";
import fc from "fast-check";
import { parseInherited, readInherited, writeInherited } from "../../src/admission/inherited.ts";
import type { Inherited } from "../../src/admission/inherited.ts";
import { createSigner } from "../../src/admission/signer.ts";
import { INHERITED_ANNOTATION } from "../../src/kube/keys.ts";
import { aContentDocument, aDocument, SIGNER } from "../builders/documents.ts";

const text = fc.string({ maxLength: 20 });
const named = fc.record({ namespace: text, name: text });
const documents: fc.Arbitrary<Inherited> = fc.record(
  {
    version: fc.constant(1 as const),
    kind: text,
    alias: text,
    volumeName: text,
    volume: fc.record({ namespace: text, name: text }, { requiredKeys: ["name"] }),
    backup: named,
    snapshot: fc.record({ driver: text, handle: text, volumeHandle: text }, { requiredKeys: ["driver"] }),
    labels: fc.dictionary(
      text.filter((key) => key !== "__proto__"),
      text,
      { maxKeys: 5 },
    ),
  },
  { requiredKeys: ["version", "kind", "alias", "volumeName", "volume", "labels"], noNullPrototype: true },
);

describe("the inherited document", () => {
  test("says what was written", () => {
    fc.assert(
      fc.property(documents, (document) => {
        assert.deepEqual(plain(parseInherited(writeInherited(document, SIGNER), SIGNER)), plain(document));
      }),
    );
  });

  test("is read from the annotation of an object", () => {
    const annotations = { [INHERITED_ANNOTATION]: writeInherited(aDocument(), SIGNER) };
    assert.deepEqual(readInherited({ annotations }, SIGNER), aDocument());
  });

  test("is not there without metadata, annotations or the annotation", () => {
    for (const metadata of [undefined, {}, { annotations: null }, { annotations: { other: "x" } }]) {
      assert.equal(readInherited(metadata, SIGNER), undefined);
    }
  });

  test("written before it could name the storage's volume is still read", () => {
    const written = `{"version":1,"kind":"VolumeSnapshot","alias":"11111111-1111-4111-8111-111111111111","volumeName":"app.data","volume":{"namespace":"app","name":"data"},"backup":{"namespace":"velero","name":"nightly-1"},"labels":{"app.kubernetes.io/name":"shop","velero.io/backup-name":"nightly-1"},"snapshot":{"driver":"rbd.csi.ceph.com","handle":"snap-0a1b2c3d"},"signature":"qX73_xIdI2NjvPIRMDKjFV1ONennadaFZneBdDlY4jU"}`;
    assert.deepEqual(parseInherited(written, SIGNER), {
      ...aDocument(),
      snapshot: { driver: "rbd.csi.ceph.com", handle: "snap-0a1b2c3d" },
    });
  });

  test("means another one with each part of what the storage knows", () => {
    const identities = [
      { driver: "d" },
      { driver: "d", handle: "h" },
      { driver: "d", volumeHandle: "h" },
      { driver: "d", handle: "h", volumeHandle: "h" },
    ];
    const signatures = identities.map((snapshot) => writeInherited(aDocument({ snapshot }), SIGNER));
    assert.equal(new Set(signatures.map((text) => text.slice(-60))).size, identities.length);
  });

  test("is written alike whatever order its keys have", () => {
    const snapshot = { volumeHandle: "v", handle: "h", driver: "d" };
    const { alias, ...others } = aDocument({ snapshot });
    assert.equal(
      writeInherited({ ...others, alias }, SIGNER),
      writeInherited(aDocument({ snapshot: { driver: "d", handle: "h", volumeHandle: "v" } }), SIGNER),
    );
  });

  test("does not depend on the order of its keys", () => {
    const written: unknown = JSON.parse(writeInherited(aContentDocument(), SIGNER));
    const turned = Object.fromEntries(Object.entries(written ?? {}).toReversed());
    assert.deepEqual(parseInherited(JSON.stringify(turned), SIGNER), aContentDocument());
  });

  test("does not depend on the order of its labels", () => {
    for (const keys of ["abc", "acb", "bac", "bca", "cab", "cba"]) {
      const labels = Object.fromEntries(keys.split("").map((key) => [key, "x"]));
      assert.deepEqual(
        signed(aDocument({ labels })),
        signed(aDocument({ labels: { a: "x", b: "x", c: "x" } })),
      );
    }
  });

  test("with one byte changed anywhere is no longer read", () => {
    const document = aContentDocument();
    const bytes = Buffer.from(writeInherited(document, SIGNER));
    let refused = 0;
    for (const index of bytes.keys()) {
      for (const flip of [1, 2, 32]) {
        const changed = Buffer.from(bytes);
        changed.writeUInt8(changed.readUInt8(index) ^ flip, index);
        const read = parseInherited(changed.toString("utf8"), SIGNER);
        assert.ok(
          read === undefined,
          `byte ${index} changed to ${changed.toString("utf8", index, index + 1)}`,
        );
        refused += 1;
      }
    }
    assert.equal(refused, bytes.length * 3);
  });

  test("with any byte left out is no longer read", () => {
    const written = writeInherited(aDocument(), SIGNER);
    for (let index = 0; index < written.length; index += 1) {
      const changed = written.slice(0, index) + written.slice(index + 1);
      assert.equal(parseInherited(changed, SIGNER), undefined, `without byte ${index}`);
    }
  });

  test("with any other meaning does not carry the signature over", () => {
    fc.assert(
      fc.property(documents, documents, (one, other) => {
        fc.pre(JSON.stringify(plain(one)) !== JSON.stringify(plain(other)));
        const { signature } = signed(one);
        assert.equal(parseInherited(JSON.stringify({ ...other, signature }), SIGNER), undefined);
      }),
    );
  });

  test("keeps apart fields that hold the same texts", () => {
    // An absent part must not be signed like one that is there, nor a name like a namespace.
    const pairs: [Partial<Inherited>, Partial<Inherited>][] = [
      [{ volume: { name: "a" } }, { volume: { namespace: "", name: "a" } }],
      [{ volume: { namespace: "a", name: "b" } }, { volume: { namespace: "b", name: "a" } }],
      [{ backup: undefined }, { backup: { namespace: "", name: "" } }],
      [{ snapshot: undefined }, { snapshot: { driver: "", handle: "" } }],
      [{ labels: { a: "b" } }, { labels: { b: "a" } }],
      [{ labels: { a: "b", c: "d" } }, { labels: { a: 'b","c', d: "" } }],
      [
        { alias: "a", volumeName: "b" },
        { alias: "b", volumeName: "a" },
      ],
    ];
    for (const [one, other] of pairs) {
      assert.notEqual(signed(aDocument(one)).signature, signed(aDocument(other)).signature);
    }
  });

  test("of another key is not read", () => {
    const other = createSigner(randomBytes(32));
    assert.equal(parseInherited(writeInherited(aDocument(), other), SIGNER), undefined);
    assert.equal(parseInherited(writeInherited(aDocument(), SIGNER), other), undefined);
  });

  test("never throws, whatever the text", () => {
    const json = fc.json({ stringUnit: "binary" });
    fc.assert(
      fc.property(fc.oneof(fc.string({ unit: "binary" }), json), (any) => {
        assert.equal(parseInherited(any, SIGNER), undefined);
      }),
    );
    assert.equal(parseInherited("[".repeat(100_000), SIGNER), undefined);
    assert.equal(parseInherited(`${'{"labels":'.repeat(5_000)}1${"}".repeat(5_000)}`, SIGNER), undefined);
  });

  test("is never longer than 16 KiB and its signature, and then lacks the last labels alone", () => {
    const labels = Object.fromEntries(
      Array.from({ length: 400 }, (_, index) => [`team.example/label-${index}`, "v".repeat(63)]),
    );
    const written = writeInherited(aDocument({ labels }), SIGNER);
    assert.ok(written.length <= 16 * 1024 + 100, `${written.length}`);
    assert.ok(written.length > 15 * 1024, `${written.length}`);
    const read = parseInherited(written, SIGNER);
    assert.deepEqual({ ...read, labels: {} }, aDocument({ labels: {} }));
    const kept = Object.keys(read?.labels ?? {});
    assert.deepEqual(kept, Object.keys(labels).slice(0, kept.length));
  });

  test("longer than we write it is not even parsed", () => {
    const padded = `${writeInherited(aDocument(), SIGNER)}${" ".repeat(40_000)}`;
    assert.equal(readInherited({ annotations: { [INHERITED_ANNOTATION]: padded } }, SIGNER), undefined);
    assert.notEqual(parseInherited(padded, SIGNER), undefined);
  });
});

describe("the signer", () => {
  test("signs with HMAC-SHA-256 (RFC 4231, test case 2)", () => {
    const signature = createSigner(Buffer.from("Jefe")).sign("what do ya want for nothing?");
    const hex = Buffer.from(signature, "base64url").toString("hex");
    assert.equal(hex, "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
  });
  test("knows its own signature and no other", () => {
    const signer = createSigner(Buffer.alloc(32, 1));
    const signature = signer.sign("a");
    assert.ok(signer.verify("a", signature));
    assert.ok(!signer.verify("b", signature));
    assert.ok(!signer.verify("a", signature.slice(1)));
    assert.ok(!signer.verify("a", `${signature}=`));
    assert.ok(!signer.verify("a", ""));
    for (let index = 0; index < signature.length; index += 1) {
      // Another character, and one with the same low byte.
      for (const other of ["~", String.fromCharCode(signature.charCodeAt(index) + 0x100)]) {
        assert.ok(!signer.verify("a", signature.slice(0, index) + other + signature.slice(index + 1)));
      }
    }
    assert.ok(signer.verify("a", signature));
  });
  test("signs each text anew, in any order", () => {
    const signer = createSigner(Buffer.alloc(32, 1));
    const fresh = ["", "a", "b", "a", "", "b"].map((part) => createSigner(Buffer.alloc(32, 1)).sign(part));
    assert.deepEqual(
      ["", "a", "b", "a", "", "b"].map((part) => signer.sign(part)),
      fresh,
    );
  });
});

function signed(document: Inherited): { signature: unknown } {
  const value: unknown = JSON.parse(writeInherited(document, SIGNER));
  return { signature: new Map<string, unknown>(Object.entries(value ?? {})).get("signature") };
}

function plain(value: unknown): unknown {
  return value === undefined ? undefined : JSON.parse(JSON.stringify(value, sortKeys));
}

function sortKeys(_key: string, part: unknown): unknown {
  return typeof part === "object" && part !== null
    ? Object.fromEntries(Object.entries(part).toSorted(([a], [b]) => (a < b ? -1 : 1)))
    : part;
}
