import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { createTakenSnapshots } from "../../src/kube/taken-snapshots.ts";
import type { TakenSnapshots } from "../../src/kube/taken-snapshots.ts";
import type { Metadata } from "../../src/kube/objects.ts";
import { createSigner } from "../../src/admission/signer.ts";
import type { Inherited } from "../../src/admission/inherited.ts";
import { aContentDocument, annotated, SIGNER } from "../builders/documents.ts";

const VOLUME = { volumeName: "app.data" };

/** An object of the snapshot with this alias. */
function anObject(uid: string, alias: string, overrides: Partial<Inherited> = {}): Metadata {
  return { uid, annotations: annotated(aContentDocument({ alias, ...overrides })) };
}

function holding(...objects: readonly Metadata[]): TakenSnapshots {
  const taken = createTakenSnapshots(SIGNER);
  objects.forEach((object) => taken.update(object, undefined));
  return taken;
}

function onArray(handle: string): Partial<Inherited> {
  return { snapshot: { driver: "d", volumeHandle: handle } };
}

describe("the snapshots of a volume", () => {
  test("are none before any was seen", () => assert.equal(holding().count(VOLUME), 0));

  test("are counted once each, however many objects stand for one", () => {
    const taken = holding(anObject("1", "a"), anObject("2", "a"), anObject("3", "b"));
    assert.equal(taken.count(VOLUME), 2);
    assert.equal(taken.count({ volumeName: "app.other" }), 0);
  });

  test("go when the last object of theirs goes", () => {
    const taken = holding(anObject("1", "a"), anObject("2", "a"));
    taken.update(undefined, anObject("1", "a"));
    assert.equal(taken.count(VOLUME), 1);
    taken.update(undefined, anObject("2", "a"));
    assert.equal(taken.count(VOLUME), 0);
  });

  test("move with their document", () => {
    const taken = holding(anObject("1", "a"));
    taken.update(anObject("1", "a", { volumeName: "app.other" }), anObject("1", "a"));
    assert.equal(taken.count(VOLUME), 0);
    assert.equal(taken.count({ volumeName: "app.other" }), 1);
  });

  test("go when their object loses its document", () => {
    const taken = holding(anObject("1", "a"));
    taken.update({ uid: "1" }, anObject("1", "a"));
    assert.equal(taken.count(VOLUME), 0);
  });

  test("are those of the storage's volume, where these are more", () => {
    const taken = holding(
      anObject("1", "a", onArray("v")),
      anObject("2", "b", { ...onArray("v"), volumeName: "app.before" }),
      anObject("3", "c", { ...onArray("w"), volumeName: "app.before" }),
    );
    assert.equal(taken.count({ ...VOLUME, stored: { driver: "d", handle: "v" } }), 2);
    assert.equal(taken.count({ ...VOLUME, stored: { driver: "other", handle: "v" } }), 1);
    taken.update(undefined, anObject("2", "b"));
    assert.equal(taken.count({ ...VOLUME, stored: { driver: "d", handle: "v" } }), 1);
  });

  test("with documents that are not ours do not count", () => {
    const taken = createTakenSnapshots(createSigner(Buffer.alloc(32, 1)));
    taken.update(anObject("1", "a"), undefined);
    assert.equal(taken.count(VOLUME), 0);
  });
});
