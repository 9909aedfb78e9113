import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { narrowOwnership } from "../../certs/ownership.ts";
import { FIELD_MANAGER, nextWrite } from "../../certs/publish.ts";

const ref = { kind: "MutatingWebhookConfiguration", name: "retainer" } as const;

const owned = { "f:clientConfig": { "f:caBundle": {} } };
const applied = { ".": {}, "f:name": {}, ...owned };

/** The managed fields after our server-side apply, of webhooks with these. */
function managedFields(
  ours: object,
): { manager: string; operation: string; fieldsV1: unknown; apiVersion?: string }[] {
  return [
    { manager: "helm", operation: "Apply", fieldsV1: { "f:webhooks": { 'k:{"name":"a"}': { ".": {} } } } },
    { manager: FIELD_MANAGER, operation: "Apply", apiVersion: "v1", fieldsV1: { "f:webhooks": ours } },
  ];
}

function aConfiguration(
  caBundles: readonly (string | undefined)[],
  ours?: object,
): Parameters<typeof nextWrite>[1] {
  return {
    metadata: { resourceVersion: "17", ...(ours && { managedFields: managedFields(ours) }) },
    webhooks: caBundles.map((caBundle, index) => ({
      name: `webhook-${index}`,
      clientConfig: caBundle === undefined ? {} : { caBundle },
    })),
  };
}

describe("nextWrite", () => {
  test("applies the bundle to every webhook where one lacks it, and nothing else, on the version read", () => {
    assert.deepEqual(nextWrite(ref, aConfiguration(["b2xk", undefined, "bmV3"]), "new"), {
      contentType: "application/apply-patch+yaml",
      query: "fieldManager=snapshot-retainer-certs&force=true",
      body: {
        apiVersion: "admissionregistration.k8s.io/v1",
        kind: "MutatingWebhookConfiguration",
        metadata: { name: "retainer", resourceVersion: "17" },
        webhooks: [0, 1, 2].map((index) => ({
          name: `webhook-${index}`,
          clientConfig: { caBundle: "bmV3" },
        })),
      },
    });
  });

  test("gives back what applying made ours beyond the bundle, on the version read", () => {
    const found = aConfiguration(["bmV3"], { 'k:{"name":"webhook-0"}': applied });
    assert.deepEqual(nextWrite(ref, found, "new"), {
      contentType: "application/json-patch+json",
      query: "fieldManager=snapshot-retainer-certs",
      body: [
        { op: "replace", path: "/metadata/resourceVersion", value: "17" },
        {
          op: "replace",
          path: "/metadata/managedFields",
          value: managedFields({ 'k:{"name":"webhook-0"}': owned }),
        },
      ],
    });
  });

  for (const [name, found] of [
    [
      "all have the bundle and no more is ours",
      aConfiguration(["bmV3"], { 'k:{"name":"webhook-0"}': owned }),
    ],
    ["all have the bundle by somebody else", aConfiguration(["bmV3", "bmV3"])],
    ["there are no webhooks", aConfiguration([])],
  ] as const) {
    test(`writes nothing where ${name}`, () => {
      assert.equal(nextWrite(ref, found, "new"), undefined);
    });
  }
});

describe("narrowOwnership", () => {
  test("leaves others' entries, and an update under our own name, as they are", () => {
    const others = [
      { manager: "helm", operation: "Apply", fieldsV1: { "f:webhooks": { 'k:{"name":"a"}': applied } } },
      {
        manager: FIELD_MANAGER,
        operation: "Update",
        fieldsV1: { "f:webhooks": { 'k:{"name":"a"}': applied } },
      },
    ];
    assert.equal(narrowOwnership(others, FIELD_MANAGER), undefined);
  });
});
