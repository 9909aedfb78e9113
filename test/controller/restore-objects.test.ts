import assert from "node:assert/strict";
import { test } from "node:test";
import { createRestoreObjects } from "../../src/controller/restore-objects.ts";
import type { Metadata } from "../../src/kube/objects.ts";
import { restoreAnnotations, restoreLabels, restoreName } from "../../src/restore/names.ts";

function made(uid: string, resourceVersion: string, more: Metadata = {}): Metadata {
  const download = { namespace: "velero", name: "r1-abc" };
  return {
    name: restoreName(uid),
    labels: restoreLabels(uid),
    annotations: restoreAnnotations(download),
    resourceVersion,
    ...more,
  };
}

test("what a restore made is known by its DataDownload until it is gone", () => {
  const objects = createRestoreObjects();
  const content = made("u", "1");
  const claim = made("u", "2", { namespace: "velero" });
  objects.update("content", content, undefined);
  objects.update("claim", claim, undefined);
  const download = { namespace: "velero", name: "r1-abc" };
  assert.deepEqual(objects.all(), [{ uid: "u", download, volumes: [], print: "1 2" }]);
  objects.update("content", undefined, content);
  objects.update("claim", undefined, claim);
  assert.deepEqual(objects.all(), []);
});

test("a volume is a restore's while it is marked", () => {
  const objects = createRestoreObjects();
  const volume = made("u", "1", { name: "pv-1" });
  objects.update("volume", volume, undefined);
  assert.deepEqual(objects.all()[0]?.volumes, ["pv-1"]);
  objects.update("volume", { name: "pv-1", resourceVersion: "2" }, volume);
  assert.deepEqual(objects.all(), []);
});

test("without the annotation the namespace is known, and not the name", () => {
  const objects = createRestoreObjects();
  objects.update("claim", made("u", "1", { namespace: "velero", annotations: {} }), undefined);
  assert.deepEqual(objects.all()[0]?.download, { namespace: "velero", name: "" });
});

test("nobody else's object is a restore's, whatever its labels say", () => {
  const objects = createRestoreObjects();
  objects.update("content", made("u", "1", { name: "b1-xyz" }), undefined);
  assert.deepEqual(objects.all(), []);
});
