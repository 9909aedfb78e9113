import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { createSigner } from "../../src/admission/signer.ts";
import { OUR_DATA_MOVER, RESTORE_VOLUME_ANNOTATION } from "../../src/kube/keys.ts";
import type { DataDownload } from "../../src/kube/objects.ts";
import { handBackOf, isOurs, isOver, mayBeHandedBack } from "../../src/restore/hand-back.ts";
import { madeFor, restoreLabels, restoreName } from "../../src/restore/names.ts";
import { failureIn } from "../../src/restore/provisioning.ts";
import { atLeast, quantityOf } from "../../src/restore/quantity.ts";
import { claimedSource, sourceOf, writeSource } from "../../src/restore/source.ts";
import type { RestorePurpose } from "../../src/restore/source.ts";
import { SIGNER } from "../builders/documents.ts";
import type { Overrides } from "../builders/objects.ts";
import { aDownload, SOURCE } from "../builders/restore.ts";

describe("a quantity", () => {
  const cases: Record<string, number | undefined> = {
    "10Gi": 10 * 2 ** 30,
    "1.5G": 1.5e9,
    "128974848": 128_974_848,
    "129e6": 129e6,
    "500m": 0.5,
    "1Ei": 2 ** 60,
    ".5Ki": 512,
    "": undefined,
    ten: undefined,
    "10 Gi": undefined,
    "1e": undefined,
  };
  for (const [text, number] of Object.entries(cases)) {
    test(`"${text}" is ${number}`, () => assert.equal(quantityOf(text), number));
  }

  test("of a request stays as it is written where it is large enough", () => {
    assert.equal(atLeast("10Gi", 2 ** 30), "10Gi");
    assert.equal(atLeast("1Gi", 2 ** 31), "2147483648");
    assert.equal(atLeast("nonsense", 7), "7");
  });

  test("of whole bytes is that number", () => {
    fc.assert(fc.property(fc.nat(), (bytes) => quantityOf(String(bytes)) === bytes));
  });
});

describe("a provisioner", () => {
  const failed = { reason: "ProvisioningFailed", message: "no space" };

  test("may fail once", () => assert.equal(failureIn([{ reason: "Provisioning" }, failed]), undefined));
  test("has not failed, however often it says so, while its call may still be under way", () => {
    const slow = "rpc error: code = DeadlineExceeded desc = context deadline exceeded";
    assert.equal(failureIn([{ ...failed, message: slow, count: 9 }, failed]), undefined);
  });
  test("has failed when it says so twice", () => {
    assert.equal(failureIn([failed, { ...failed, message: "still none" }]), "still none");
    assert.equal(failureIn([{ ...failed, count: 2 }]), "no space");
    assert.equal(failureIn([{ ...failed, series: { count: 3 } }]), "no space");
    assert.equal(failureIn([{ reason: "ProvisioningFailed", count: 2 }]), "the provisioner failed");
  });
});

describe("a DataDownload", () => {
  test("may be handed back while it is ours, not over, not cancelled and not being bound", () => {
    assert.ok(mayBeHandedBack(aDownload()));
    assert.ok(mayBeHandedBack(aDownload({ status: { phase: "InProgress" } })));
    assert.ok(!mayBeHandedBack(aDownload({ spec: { cancel: true } })));
    assert.ok(!mayBeHandedBack(aDownload({ status: { phase: "Completed" } })));
    assert.ok(!mayBeHandedBack(aDownload({ spec: { datamover: "velero" } })));
    const annotations = { [RESTORE_VOLUME_ANNOTATION]: "pv-1" };
    assert.ok(!mayBeHandedBack(aDownload({ metadata: { annotations } })));
  });

  test("is over when it is Completed, Failed or Canceled", () => {
    for (const phase of ["Completed", "Failed", "Canceled"])
      assert.ok(isOver(aDownload({ status: { phase } })));
    assert.ok(!isOver(aDownload()));
    assert.ok(isOurs(aDownload({ spec: { datamover: OUR_DATA_MOVER } })));
  });

  test("is as new once it is handed back", () => {
    const { metadata, spec, status } = handBackOf("of a test");
    assert.deepEqual([spec, status], [{ datamover: null }, null]);
    assert.match(Object.values(metadata.annotations).join(), /handed back to Velero: of a test/);
  });

  const written = writeSource(SOURCE, purposeOf(aDownload()), SIGNER);

  test("says where to restore from", () => {
    assert.deepEqual(sourceOf(withSource(written), SIGNER), SOURCE);
  });

  const forged: Record<string, DataDownload> = {
    "whose source nobody signed": withSource(JSON.stringify(SOURCE)),
    "whose source was signed with another key": withSource(
      writeSource(SOURCE, purposeOf(aDownload()), createSigner(Buffer.alloc(32, 9))),
    ),
    "whose source was changed": withSource(written.replace(SOURCE.handle, "another")),
    "that has another's source: of another claim": withSource(written, {
      spec: { targetVolume: { namespace: "app", pvc: "logs" } },
    }),
    "that has another's source: of other data": withSource(written, { spec: { snapshotID: "other" } }),
    "that has another's source: of another namespace": withSource(written, {
      metadata: { namespace: "velero-too" },
    }),
  };
  for (const [name, download] of Object.entries(forged)) {
    test(`${name} says nothing`, () => assert.equal(sourceOf(download, SIGNER), undefined));
  }

  test("with a source that is not believed keeps the snapshot from being freed all the same", () => {
    assert.equal(
      claimedSource(withSource(written.replace(/"signature":"./, '"signature":"x')))?.handle,
      SOURCE.handle,
    );
  });

  for (const text of ["{", "[]", '{"name":1}']) {
    test(`says nothing by ${text}`, () => {
      assert.equal(sourceOf(withSource(text), SIGNER), undefined);
    });
  }
});

function purposeOf({ metadata, spec }: DataDownload): RestorePurpose {
  return { namespace: metadata.namespace ?? "", spec };
}

function withSource(text: string, { metadata, ...others }: Overrides = {}): DataDownload {
  const annotations = { "snapshot-retainer.io/restore-source": text };
  return aDownload({ metadata: { annotations, ...metadata }, ...others });
}

describe("an object was made by a restore", () => {
  test("whose name and label agree", () => {
    assert.equal(madeFor({ name: restoreName("u"), labels: restoreLabels("u") }), "u");
    // Somebody who writes our label on a retained content does not have it cleaned up.
    assert.equal(madeFor({ name: "b1-xyz", labels: restoreLabels("u") }), undefined);
    assert.equal(madeFor({ name: restoreName("u") }), undefined);
  });
});
