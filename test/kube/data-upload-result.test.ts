import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { resultIn, resultLabels } from "../../src/kube/data-upload-result.ts";
import { RESTORE_UID, SNAPSHOT_ID } from "../builders/objects.ts";

/** As Velero writes it. */
const RESULT = {
  backupStorageLocation: "default",
  snapshotID: SNAPSHOT_ID,
  snapshotSize: 1,
  sourceNamespace: "app",
  dataMoverResult: { alias: "a", driver: "d", snapshotHandle: "h" },
};

function configMap(text: string, key = RESTORE_UID): object {
  return { apiVersion: "v1", kind: "ConfigMap", metadata: {}, data: { [key]: text } };
}

test("a result is found by the labels that Velero gives it", () => {
  assert.deepEqual(resultLabels(RESTORE_UID, { namespace: "app", name: "data" }), {
    "velero.io/restore-uid": RESTORE_UID,
    "velero.io/pvc-namespace-name": "app.data",
    "velero.io/resource-usage": "DataUpload",
  });
});

test("a claim with a long name is found by what Velero makes of the name", () => {
  const labels = resultLabels(RESTORE_UID, { namespace: "app", name: "x".repeat(70) });
  assert.match(labels["velero.io/pvc-namespace-name"] ?? "", /^app\.x{53}[0-9a-f]{6}$/);
});

describe("a result is read", () => {
  const { snapshotID, sourceNamespace, dataMoverResult } = RESULT;
  const given = { snapshotID, sourceNamespace };
  const cases: Record<string, { object: unknown; want: unknown }> = {
    "as far as we know its fields": {
      object: configMap(JSON.stringify(RESULT)),
      want: { ...given, dataMoverResult },
    },
    "where no controller recorded anything": { object: configMap(JSON.stringify(given)), want: given },
    "where nothing is recorded but that": {
      object: configMap(JSON.stringify({ ...given, dataMoverResult: null })),
      want: { ...given, dataMoverResult: null },
    },
    "not from another restore's": { object: configMap(JSON.stringify(RESULT), "other"), want: undefined },
    "not from what is no JSON": { object: configMap("{"), want: undefined },
    "not without the data's id": { object: configMap('{"sourceNamespace":"app"}'), want: undefined },
    "not with a record that is no map of texts": {
      object: configMap(JSON.stringify({ ...given, dataMoverResult: { alias: 1 } })),
      want: undefined,
    },
    "not without any data": { object: { metadata: {} }, want: undefined },
    "not from what is no ConfigMap": { object: "x", want: undefined },
  };
  for (const [name, { object, want }] of Object.entries(cases)) {
    test(name, () => assert.deepEqual(resultIn(object, RESTORE_UID), want));
  }
});
