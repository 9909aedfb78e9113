import assert from "node:assert/strict";
import { test } from "node:test";
import { applyDocument } from "../../certs/publish.ts";

test("applyDocument holds each webhook's name and caBundle, the version read, and nothing else", () => {
  const found = {
    metadata: { name: "retainer", resourceVersion: "17", labels: { helm: "owned" } },
    webhooks: [
      {
        name: "a.example",
        clientConfig: { caBundle: "b2xk", service: { name: "s", namespace: "n" } },
        timeoutSeconds: 5,
      },
      { name: "b.example", clientConfig: { url: "https://b" }, sideEffects: "None" },
    ],
  };
  const ref = { kind: "MutatingWebhookConfiguration", name: "retainer" } as const;
  assert.deepEqual(applyDocument(ref, found, "new"), {
    apiVersion: "admissionregistration.k8s.io/v1",
    kind: "MutatingWebhookConfiguration",
    metadata: { name: "retainer", resourceVersion: "17" },
    webhooks: [
      { name: "a.example", clientConfig: { caBundle: "bmV3" } },
      { name: "b.example", clientConfig: { caBundle: "bmV3" } },
    ],
  });
});
