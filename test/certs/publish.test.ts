import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { patchDocument } from "../../certs/publish.ts";

const found = {
  metadata: { name: "retainer", resourceVersion: "17", labels: { helm: "owned" } },
  webhooks: [
    {
      name: "a.example",
      clientConfig: { caBundle: "b2xk", service: { name: "s", namespace: "n" } },
      timeoutSeconds: 5,
    },
    { name: "b.example", clientConfig: { url: "https://b" }, sideEffects: "None" },
    { name: "c.example", clientConfig: { caBundle: "bmV3" } },
  ],
};

describe("patchDocument", () => {
  test("holds name and caBundle of the webhooks that lack it, the version read, and nothing else", () => {
    assert.deepEqual(patchDocument(found, "new"), {
      metadata: { resourceVersion: "17" },
      webhooks: [
        { name: "a.example", clientConfig: { caBundle: "bmV3" } },
        { name: "b.example", clientConfig: { caBundle: "bmV3" } },
      ],
    });
  });

  test("is not needed where all have the bundle", () => {
    assert.equal(patchDocument({ ...found, webhooks: found.webhooks.slice(2) }, "new"), undefined);
  });

  test("is not needed where there are no webhooks", () => {
    assert.equal(patchDocument({ metadata: found.metadata }, "new"), undefined);
  });
});
