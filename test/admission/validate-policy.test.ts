import assert from "node:assert/strict";
import { test } from "node:test";
import { validatePolicy } from "../../src/admission/validate-policy.ts";
import type { PolicyVerdict } from "../../src/admission/validate-policy.ts";
import type { Json } from "../builders/objects.ts";
import { aPolicyText } from "../builders/policy.ts";
import { aRequest, TENANT } from "../builders/request.ts";

const cases: Record<string, readonly [configMap: Json, PolicyVerdict]> = {
  "lets a valid policy in": [
    { data: { "policy.yaml": aPolicyText("snapshotsToRetain: 2") } },
    { allowed: true, code: "policy_valid" },
  ],
  "refuses an invalid one with its lines": [
    { data: { "policy.yaml": aPolicyText("snapshotsToRetain: x", "more: 1") } },
    {
      allowed: false,
      code: "policy_invalid",
      message:
        'policy.yaml: line 3: snapshotsToRetain: must be a whole number, found "x"; line 4: more: unknown field',
    },
  ],
  "refuses a ConfigMap without the key": [
    { data: { "policy.yml": aPolicyText() } },
    { allowed: false, code: "policy_invalid", message: "the policy ConfigMap needs the key policy.yaml" },
  ],
  "refuses a ConfigMap without data": [
    { data: null },
    { allowed: false, code: "policy_invalid", message: "the policy ConfigMap needs the key policy.yaml" },
  ],
  "lets in what is no ConfigMap, since the API server itself judges that": [
    { data: ["x"] },
    { allowed: true, code: "policy_unchecked" },
  ],
};

for (const [name, [parts, want]] of Object.entries(cases)) {
  test(`the policy's validation ${name}`, () => {
    const object = {
      apiVersion: "v1",
      kind: "ConfigMap",
      metadata: { name: "p", namespace: "ns" },
      ...parts,
    };
    assert.deepEqual(validatePolicy(aRequest({ object, by: TENANT }), "policy.yaml"), want);
  });
}
