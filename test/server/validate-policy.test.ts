import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { aPolicyText } from "../builders/policy.ts";
import { aRequestBody, aReview, REQUEST_UID, TENANT } from "../builders/request.ts";
import { readResponse } from "../builders/response.ts";
import { startServer } from "../builders/server.ts";
import type { TestServer } from "../builders/server.ts";

let server: TestServer;
before(async () => {
  server = await startServer();
});
after(async () => server.stop());

interface Case {
  readonly body: string;
  readonly want: unknown;
  readonly told: readonly [result: string, code: string];
}

function reviewOf(text: string): string {
  const metadata = { name: "snapshot-retainer-policy", namespace: "snapshot-retainer" };
  const object = { apiVersion: "v1", kind: "ConfigMap", metadata, data: { "policy.yaml": text } };
  return aReview(aRequestBody({ object, by: TENANT }));
}

const cases: Record<string, Case> = {
  "lets a valid policy in": {
    body: reviewOf(aPolicyText("snapshotsToRetain: 2")),
    want: { uid: REQUEST_UID, allowed: true, auditAnnotations: { code: "policy_valid" } },
    told: ["unchanged", "policy_valid"],
  },
  "refuses an invalid one, with the line and the reason": {
    body: reviewOf(aPolicyText("snapshotsToRetain: many")),
    want: {
      uid: REQUEST_UID,
      allowed: false,
      status: {
        message: 'policy.yaml: line 3: snapshotsToRetain: must be a whole number, found "many"',
        code: 422,
        reason: "Invalid",
      },
      auditAnnotations: { code: "policy_invalid" },
    },
    told: ["denied", "policy_invalid"],
  },
  "refuses one nested too deep to be read": {
    body: reviewOf(`a: ${"[".repeat(20_000)}`),
    want: undefined,
    told: ["denied", "policy_invalid"],
  },
  "lets in what it cannot read, and says so": {
    body: "no JSON",
    want: {
      uid: "",
      allowed: true,
      warnings: ["snapshot-retainer: not checked, since the body is not valid JSON"],
    },
    told: ["failed_open", "unreadable"],
  },
  "lets in what is too large to be read, and says so": {
    body: reviewOf("a: b") + " ".repeat(7 * 1024 * 1024),
    want: {
      uid: REQUEST_UID,
      allowed: true,
      warnings: ["snapshot-retainer: not checked, since its body is larger than 7 MiB"],
    },
    told: ["failed_open", "too_large"],
  },
};

for (const [name, { body, want, told }] of Object.entries(cases)) {
  test(`POST /validate-policy ${name}`, async () => {
    server.answered.length = 0;
    const { status, text } = await server.post("/validate-policy?timeout=5s", body);
    const response = readResponse(text);
    assert.equal(status, 200);
    if (want !== undefined) {
      assert.deepEqual(response, want);
    }
    assert.deepEqual(
      server.answered.map(({ result, outcome }) => [result, outcome.code]),
      [told],
    );
  });
}
