import assert from "node:assert/strict";
import { test } from "node:test";
import { writeInherited } from "../../src/admission/inherited.ts";
import { createSigner } from "../../src/admission/signer.ts";
import { createDocumentKeeper, keptDocument } from "../../src/controller/believed.ts";
import { createInterner } from "../../src/kube/intern.ts";
import { aDocument } from "../builders/documents.ts";

const signer = createSigner(Buffer.alloc(32, 1));
const KEY = "snapshot-retainer.io/inherited";

function aKeeper(): ReturnType<typeof createDocumentKeeper> {
  return createDocumentKeeper(signer, () => undefined);
}

test("a document that we signed is kept in place of its text, beside the other annotations", () => {
  const document = aDocument();
  const annotations = { [KEY]: writeInherited(document, signer), "snapshot-retainer.io/retain": "true" };
  const kept = aKeeper()({ metadata: { name: "a", annotations }, spec: 1 });
  assert.deepEqual(keptDocument(kept.metadata), document);
  assert.deepEqual(kept.metadata.annotations, { "snapshot-retainer.io/retain": "true" });
  assert.equal(kept.spec, 1);
});

test("a document by somebody else's hand is not believed", () => {
  const forged = writeInherited(aDocument(), createSigner(Buffer.alloc(32, 2)));
  const kept = aKeeper()({ metadata: { annotations: { [KEY]: forged } } });
  assert.equal(keptDocument(kept.metadata), undefined);
});

test("a content and its DataUpload keep one document, and those that only share its alias their own", () => {
  const keep = aKeeper();
  const between = { ...aDocument(), alias: "of another snapshot" };
  const all = [aDocument(), between, aDocument(), { ...aDocument(), volumeName: "another" }];
  const documents = all.map((document) =>
    keptDocument(keep({ metadata: { annotations: { [KEY]: writeInherited(document, signer) } } }).metadata),
  );
  assert.deepEqual(documents, all);
  assert.equal(documents[0], documents[2]);
});

test("sharing equal strings changes nothing that can be seen", () => {
  const intern = createInterner();
  for (let index = 0; index < 25_000; index++) {
    const object = { metadata: { name: `a-${index}`, labels: { app: "a" } }, list: ["x", null, 1], at: null };
    const before = structuredClone(object);
    intern(object);
    assert.deepEqual(object, before);
  }
});
