import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { createSigner } from "../../src/admission/signer.ts";
import { createLivingOriginals, handleKey } from "../../src/kube/originals.ts";
import type { FoundOriginal, LivingOriginals, StoredSnapshot } from "../../src/kube/originals.ts";
import { aContentDocument, annotated, SIGNER } from "../builders/documents.ts";

const labels = { team: "a" };

function stored(uid: string, overrides: Partial<StoredSnapshot> = {}): StoredSnapshot {
  const annotations = annotated(aContentDocument({ alias: `alias-of-${uid}` }));
  const creationTimestamp = "2026-11-23T10:00:00Z";
  return {
    metadata: { uid, labels, annotations, creationTimestamp },
    source: "driver",
    handle: "h",
    original: true,
    ...overrides,
  };
}

function watched(signer = SIGNER): { living: LivingOriginals; told: FoundOriginal[] } {
  const told: FoundOriginal[] = [];
  return { living: createLivingOriginals(signer, (found) => told.push(found)), told };
}

function aliasAt(living: LivingOriginals, handle = "h", source = "driver"): string | undefined {
  return living.find(source, handle)?.inherited.alias;
}

describe("living originals", () => {
  test("are found by source and handle, with all their labels", () => {
    const { living } = watched();
    living.update(stored("u1"), undefined);
    assert.deepEqual(living.find("driver", "h"), {
      inherited: aContentDocument({ alias: "alias-of-u1" }),
      labels,
    });
    assert.equal(living.find("other", "h"), undefined);
    assert.equal(living.find("driver", "h2"), undefined);
  });

  test("are told of as soon as their handle is known, with their time of creation", () => {
    const { living, told } = watched();
    const early = stored("u1", { handle: undefined });
    living.update(early, undefined);
    assert.deepEqual(told, []);
    living.update(stored("u1"), early);
    assert.deepEqual(
      told.map(({ source, handle, created }) => [source, handle, created]),
      [["driver", "h", Date.parse("2026-11-23T10:00:00Z")]],
    );
  });

  test("are told of once more when they go", () => {
    const { living, told } = watched();
    living.update(stored("u1"), undefined);
    living.update(undefined, stored("u1"));
    living.update(undefined, stored("u2", { original: false }));
    assert.deepEqual(
      told.map(({ original, gone }) => [original.inherited.alias, gone]),
      [
        ["alias-of-u1", false],
        ["alias-of-u1", true],
      ],
    );
  });

  test("clones are found too, and not told of", () => {
    const { living, told } = watched();
    living.update(stored("u1", { original: false }), undefined);
    assert.equal(aliasAt(living), "alias-of-u1");
    assert.deepEqual(told, []);
  });

  test("are gone when their object is deleted", () => {
    const { living } = watched();
    living.update(stored("u1"), undefined);
    living.update(undefined, stored("u1"));
    assert.equal(aliasAt(living), undefined);
  });

  test("stay while another object stands for the same snapshot", () => {
    const { living } = watched();
    living.update(stored("u1"), undefined);
    living.update(stored("u2", { original: false }), undefined);
    assert.equal(aliasAt(living), "alias-of-u1");
    living.update(undefined, stored("u1"));
    assert.equal(aliasAt(living), "alias-of-u2");
    living.update(undefined, stored("u2"));
    assert.equal(aliasAt(living), undefined);
  });

  test("follow their labels and their handle", () => {
    const { living } = watched();
    living.update(stored("u1"), undefined);
    const moved = stored("u1", {
      handle: "h2",
      metadata: { ...stored("u1").metadata, labels: { team: "b" } },
    });
    living.update(moved, stored("u1"));
    assert.equal(aliasAt(living, "h"), undefined);
    assert.deepEqual(living.find("driver", "h2")?.labels, { team: "b" });
  });

  test("are not what carries no document, or one of another key", () => {
    const { living, told } = watched(createSigner(Buffer.alloc(32, 9)));
    living.update(stored("u1"), undefined);
    living.update({ source: "driver", handle: "h", original: true, metadata: {} }, undefined);
    assert.equal(aliasAt(living), undefined);
    assert.deepEqual(told, []);
  });

  test("are no more when their document was taken away", () => {
    const { living } = watched();
    living.update(stored("u1"), undefined);
    living.update(stored("u1", { metadata: { uid: "u1" } }), stored("u1"));
    assert.equal(aliasAt(living), undefined);
  });

  test("without labels have none", () => {
    const { living } = watched();
    const { metadata } = stored("u1");
    living.update(stored("u1", { metadata: { ...metadata, labels: null } }), undefined);
    assert.deepEqual(living.find("driver", "h")?.labels, {});
  });
});

test("a handle of one source is not that of another", () => {
  assert.notEqual(handleKey("a", "b"), handleKey("ab", ""));
  assert.notEqual(handleKey("a", "bc"), handleKey("ab", "c"));
});
