import assert from "node:assert/strict";
import { test } from "node:test";
import { Backup } from "../../src/kube/objects.ts";
import { trimTo } from "../../src/kube/trim.ts";
import { aBackup } from "../builders/objects.ts";

const trim = trimTo(Backup);

test("a cached object keeps the fields we read, its labels, and our annotations alone", () => {
  const limits = {
    "backup.velero.io/data-mover-snapshot-to-retain": "3",
    "snapshot-retainer.io/requested-limit": "3",
    "snapshot-retainer.io/inherited": "x",
  };
  const annotations = { ...limits, "kubectl.kubernetes.io/last-applied-configuration": "{}" };
  const labels = { team: "a" };
  const managedFields = [{ manager: "kubectl" }];
  const object = aBackup({
    metadata: { annotations, labels, managedFields },
    status: { phase: "New", errors: 1 },
  });
  assert.deepEqual(trim(object), {
    metadata: { name: "nightly-1", namespace: "velero", annotations: limits, labels },
    spec: { snapshotMoveData: true },
    status: { phase: "New" },
  });
});

test("an object without annotations has none", () => {
  assert.deepEqual(trim(aBackup())?.metadata.annotations, {});
});

test("what is no such object is not kept", () => {
  for (const object of [undefined, null, "x", {}, { metadata: 1 }, { metadata: {}, spec: 1 }]) {
    assert.equal(trim(object), undefined);
  }
});
