import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { Inherited } from "../../src/admission/inherited.ts";
import { createSigner } from "../../src/admission/signer.ts";
import type { Metadata } from "../../src/kube/objects.ts";
import { createRetainedSnapshots } from "../../src/kube/retained-snapshots.ts";
import type { RetainedSnapshots } from "../../src/kube/retained-snapshots.ts";
import { aContentDocument, annotated, SIGNER } from "../builders/documents.ts";

const DATA = { namespace: "app", name: "data" };
const OTHER = { namespace: "app", name: "other" };
const RETAINED = { "snapshot-retainer.io/retained": "true" };

function content(name: string, document: Partial<Inherited> = {}): Metadata {
  return { name, labels: RETAINED, annotations: annotated(aContentDocument(document)) };
}

function holding(...contents: readonly Metadata[]): RetainedSnapshots {
  const retained = createRetainedSnapshots(SIGNER);
  contents.forEach((metadata) => retained.update(metadata, undefined));
  return retained;
}

describe("the retained contents of a claim", () => {
  test("are none before any was seen", () => assert.deepEqual(holding().namesOf(DATA), []));

  test("are those whose documents name it", () => {
    const retained = holding(content("a"), content("b", { volume: OTHER }), content("c"));
    assert.deepEqual(retained.namesOf(DATA), ["a", "c"]);
    assert.deepEqual(retained.namesOf(OTHER), ["b"]);
    assert.deepEqual(retained.namesOf({ namespace: "other", name: "data" }), []);
  });

  test("are none that are not labelled as retained, or no more", () => {
    const fresh = { ...content("a"), labels: {} };
    const retained = holding(fresh);
    assert.deepEqual(retained.namesOf(DATA), []);
    retained.update(content("a"), fresh);
    assert.deepEqual(retained.namesOf(DATA), ["a"]);
    retained.update({ ...fresh, labels: { "snapshot-retainer.io/retained": "false" } }, content("a"));
    assert.deepEqual(retained.namesOf(DATA), []);
  });

  test("go with their objects", () => {
    const retained = holding(content("a"), content("b"));
    retained.update(undefined, content("a"));
    assert.deepEqual(retained.namesOf(DATA), ["b"]);
    retained.update(undefined, content("b"));
    assert.deepEqual(retained.namesOf(DATA), []);
  });

  test("go though what their objects said last cannot be read any more", () => {
    const retained = holding(content("a"));
    retained.update(undefined, { name: "a", labels: {}, annotations: {} });
    assert.deepEqual(retained.namesOf(DATA), []);
  });

  test("move with their document", () => {
    const retained = holding(content("a"));
    retained.update(content("a", { volume: OTHER }), content("a"));
    assert.deepEqual([retained.namesOf(DATA), retained.namesOf(OTHER)], [[], ["a"]]);
  });

  test("are named once, however often they change", () => {
    const retained = holding(content("a"));
    retained.update(content("a"), content("a"));
    assert.deepEqual(retained.namesOf(DATA), ["a"]);
  });

  test("are none of volumes that are no claims", () => {
    const retained = holding(content("a", { volume: { name: "data" } }));
    assert.deepEqual(retained.namesOf({ namespace: "", name: "data" }), []);
  });

  test("are none with a document of somebody else", () => {
    const retained = createRetainedSnapshots(createSigner(Buffer.alloc(32, 1)));
    retained.update(content("a"), undefined);
    assert.deepEqual(retained.namesOf(DATA), []);
  });
});
