import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { admit } from "../../src/admission/handler.ts";
import { documentIn } from "../builders/documents.ts";
import { aContext } from "../builders/context.ts";
import { aBackup, anAcmeSnapshot } from "../builders/objects.ts";
import type { Json, Overrides } from "../builders/objects.ts";
import { ACME, aPolicy } from "../builders/policy.ts";
import { ACME_MOVER, aRequest } from "../builders/request.ts";

const BETA = {
  ...ACME,
  name: "beta",
  matchLabels: { "beta.io/snapshot": "true", "beta.io/kind": "a" },
  namespaces: ["beta", "acme-mover"],
};
const CUSTOM = { ...ACME, name: "custom", group: "custom.io", resource: "snaps" };

interface Case {
  readonly object?: Overrides;
  readonly oldObject?: Overrides;
  readonly fields?: Json;
  /** Name of the entry whose rule labelled the object, or the code of leaving it. */
  readonly want: string;
}

const beta = { labels: { "beta.io/snapshot": "true", "beta.io/kind": "a" } };
const ofCustom = { resource: { group: "custom.io", version: "v1", resource: "snaps" } };

const cases: Record<string, Case> = {
  "an object goes to the entry whose label it carries": { want: "acme" },
  "an object goes to the second entry of its resource": { object: { metadata: beta }, want: "beta" },
  "an object goes to the first of two entries that both select it": {
    object: { metadata: { labels: { ...beta.labels, ...ACME.matchLabels } } },
    want: "acme",
  },
  "an object with one of two labels is not selected": {
    object: { metadata: { labels: { "beta.io/snapshot": "true" } } },
    want: "not_ours",
  },
  "an object with another value is not selected": {
    object: { metadata: { labels: { "acme.io/snapshot": "false" } } },
    want: "not_ours",
  },
  "an object in another namespace is not selected": {
    object: { metadata: { ...beta, namespace: "app" } },
    want: "not_ours",
  },
  "an object of another group goes to that group's entry": { fields: ofCustom, want: "custom" },
  "an object of a resource without an entry is not handled": {
    fields: { resource: { group: "", version: "v1", resource: "secrets" } },
    want: "not_handled",
  },
  "an object of a group without an entry is not handled": {
    fields: { resource: { group: "other.io", version: "v1", resource: "configmaps" } },
    want: "not_handled",
  },
  "an object that loses its label in this change is still selected": {
    object: { metadata: { labels: {} } },
    oldObject: {},
    want: "already_set",
  },
  "a deletion is not handled": { fields: { operation: "DELETE", object: null }, want: "not_handled" },
  "a connection is not handled": { fields: { operation: "CONNECT" }, want: "not_handled" },
  "a subresource is not handled": { fields: { subResource: "status" }, want: "not_handled" },
  "an empty subresource is the object itself": { fields: { subResource: "" }, want: "acme" },
  "what is no object is not selected": { fields: { object: "x" }, want: "not_ours" },
};

describe("admit", () => {
  const policy = aPolicy({ snapshotAssociatedObjects: [ACME, BETA, CUSTOM] });
  for (const [name, { object, oldObject, fields, want }] of Object.entries(cases)) {
    test(name, async () => {
      const request = aRequest({
        object: anAcmeSnapshot(object),
        by: ACME_MOVER,
        ...(oldObject && { oldObject: anAcmeSnapshot(oldObject) }),
        ...(fields && { fields }),
      });
      const { outcome } = await admit(request, aContext({ policy }));
      const text = outcome.edits?.annotations?.["snapshot-retainer.io/inherited"];
      assert.equal(text === undefined ? outcome.code : documentIn(text).kind, want);
    });
  }

  const failures: Record<string, readonly [error: unknown, warning: string]> = {
    "the words of an error": [new Error("x"), "of an internal error: x"],
    "the kind of what is no error": [7, "of an internal error: number thrown"],
    "no more of long words than a warning takes": [
      new Error("x".repeat(500)),
      `of an internal error: ${"x".repeat(200)}`,
    ],
  };
  for (const [name, [error, warning]] of Object.entries(failures)) {
    test(`gives, where a rule throws, ${name}`, async () => {
      const context = aContext({
        policy,
        randomId: () => {
          throw error;
        },
      });
      const { outcome, patch } = await admit(aRequest({ object: anAcmeSnapshot(), by: ACME_MOVER }), context);
      assert.deepEqual(outcome, {
        code: "internal_error",
        warnings: [`snapshot-retainer: unchanged, since ${warning}`],
      });
      assert.deepEqual(patch, []);
    });
  }

  test("tells where an object cannot be read", async () => {
    const object = { ...aBackup(), spec: { snapshotMoveData: "yes" } };
    const { outcome } = await admit(aRequest({ object }), aContext());
    assert.deepEqual(outcome.warnings, [
      "snapshot-retainer: unchanged, since the object could not be read: object.spec.snapshotMoveData: Invalid input: expected boolean, received string",
    ]);
  });

  test("tells where the object before the change cannot be read", async () => {
    const { outcome } = await admit(aRequest({ object: aBackup(), oldObject: { metadata: 1 } }), aContext());
    assert.equal(outcome.code, "unreadable");
    assert.match(outcome.warnings?.[0] ?? "", /: oldObject\.metadata: /);
  });
});
