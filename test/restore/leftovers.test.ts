import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { BEING_DELETED_ANNOTATION } from "../../src/kube/keys.ts";
import { decideCleaning } from "../../src/restore/leftovers.ts";
import type { Leftovers } from "../../src/restore/leftovers.ts";
import {
  aHeldVolume,
  aMadeClaim,
  aMadeContent,
  aMadeSnapshot,
  aTarget,
  aVolume,
  secondsAgo,
} from "../builders/restore.ts";

const NOTHING: Leftovers = { claim: undefined, snapshot: undefined, content: undefined, volumes: [] };

function cleaned(left: Partial<Leftovers>): string[] {
  return decideCleaning({ ...NOTHING, ...left }).map((step) =>
    step.kind === "unhold" ? `unhold ${step.reclaimPolicy}` : step.kind,
  );
}

const MARKED = { metadata: { annotations: { [BEING_DELETED_ANNOTATION]: "yes" } } };

describe("of a restore that is over", () => {
  test("nothing is cleaned where nothing is left", () => assert.deepEqual(cleaned({}), []));

  test("the claim goes, and its volume with it", () => {
    const claim = aMadeClaim();
    assert.deepEqual(cleaned({ claim, volumes: [{ volume: aVolume(), holder: claim }] }), ["delete_claim"]);
  });

  test("the claim goes once its volume would go with it, whatever its class says", () => {
    const claim = aMadeClaim();
    const volume = aVolume({ spec: { persistentVolumeReclaimPolicy: "Retain" } });
    assert.deepEqual(cleaned({ claim, volumes: [{ volume, holder: claim }] }), ["unhold Delete"]);
  });

  test("the VolumeSnapshot goes before its content", () => {
    const snapshot = aMadeSnapshot();
    assert.deepEqual(cleaned({ snapshot, content: aMadeContent(MARKED) }), ["delete_snapshot"]);
  });

  test("the content goes, marked where it was bound", () => {
    assert.deepEqual(cleaned({ content: aMadeContent() }), ["mark_content"]);
    assert.deepEqual(cleaned({ content: aMadeContent(MARKED) }), ["delete_content"]);
    const unbound = aMadeContent({ spec: { volumeSnapshotRef: { uid: undefined } } });
    assert.deepEqual(cleaned({ content: unbound }), ["delete_content"]);
  });

  test("the content is set to Retain first, where somebody set it to Delete", () => {
    const content = aMadeContent({ ...MARKED, spec: { deletionPolicy: "Delete" } });
    assert.deepEqual(cleaned({ content }), ["keep_snapshot"]);
  });

  test("nothing that goes already is deleted again", () => {
    const going = {
      metadata: { deletionTimestamp: secondsAgo(1), annotations: MARKED.metadata.annotations },
    };
    assert.deepEqual(cleaned({ claim: aMadeClaim(going), snapshot: aMadeSnapshot(going) }), []);
    assert.deepEqual(cleaned({ content: aMadeContent(going) }), []);
  });

  test("a volume that its claim has stays, with its own reclaim policy", () => {
    const holder = aTarget({ spec: { volumeName: "pv-1" } });
    assert.deepEqual(cleaned({ volumes: [{ volume: aHeldVolume(), holder }] }), ["unhold Delete"]);
    const annotations = { "snapshot-retainer.io/reclaim-policy": "Retain" };
    const volume = aHeldVolume({ metadata: { annotations } });
    assert.deepEqual(cleaned({ volumes: [{ volume, holder }] }), ["unhold Retain"]);
  });

  test("a volume that nobody has goes", () => {
    assert.deepEqual(cleaned({ volumes: [{ volume: aHeldVolume(), holder: undefined }] }), ["abandon"]);
    assert.deepEqual(cleaned({ volumes: [{ volume: aHeldVolume(), holder: aTarget() }] }), ["abandon"]);
  });
});
