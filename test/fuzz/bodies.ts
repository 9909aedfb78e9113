import fc from "fast-check";
import {
  aBackup,
  aCloneContent,
  aCloneSnapshot,
  aDataUpload,
  anAcmeSnapshot,
  aVolumeSnapshot,
} from "../builders/objects.ts";
import type { Json } from "../builders/objects.ts";
import { ACME_MOVER, aRequestBody, aReview, TENANT, VELERO } from "../builders/request.ts";

const OBJECTS = [
  aBackup(),
  aVolumeSnapshot(),
  aCloneSnapshot(),
  aCloneContent(),
  aDataUpload(),
  anAcmeSnapshot(),
  { apiVersion: "v1", kind: "ConfigMap", metadata: { name: "p" }, data: { "policy.yaml": "apiVersion: x" } },
];

/** Reviews as the API server sends them, with managedFields as most objects have them. */
const REVIEWS = OBJECTS.flatMap((object) =>
  [VELERO, TENANT, ACME_MOVER].flatMap((by) => {
    const entry = { manager: "kubectl", operation: "Update", fieldsV1: { "f:metadata": { "f:labels": {} } } };
    const metadata: Json = { ...asJson(object["metadata"]), managedFields: [entry] };
    const managed = { ...object, metadata };
    return [aRequestBody({ object: managed, by }), aRequestBody({ object, oldObject: managed, by })];
  }),
).map((request) => Buffer.from(aReview(request)));

function asJson(value: unknown): Json {
  return typeof value === "object" && value !== null ? Object.fromEntries(Object.entries(value)) : {};
}

/** What parsers are known to stumble over. */
const SNIPPETS = [
  '"',
  "\\",
  "{",
  "}",
  "[",
  "]",
  ",",
  ":",
  "null",
  "1e999",
  "-0",
  "\0",
  "\u{feff}",
  "\ud800",
  '"__proto__":{"polluted":"yes"},',
  '"constructor":{"prototype":{"polluted":"yes"}},',
  '"uid":"00000000-0000-0000-0000-000000000000",',
  '"labels":{"velero.io/snapshot-alias-name":"stolen"},',
  '"labels":null,',
  '"annotations":[],',
  '"managedFields":[',
  '"managedFields":[[]],',
  '"managedFields":["]"],',
  '"unmanagedFields":[{"a":1}],',
  '"managedFields":[],"a\\\\"',
  '"managedFields":[}],',
  "[".repeat(2_000),
  '{"a":'.repeat(2_000),
].map((text) => Buffer.from(text));

const snippet = fc.oneof(
  { weight: 4, arbitrary: fc.constantFrom(...SNIPPETS) },
  fc.uint8Array({ maxLength: 8 }).map((bytes) => Buffer.from(bytes)),
);

/** One change to a body, wherever in it the fraction is. */
const change = fc.record({
  kind: fc.constantFrom("within", "within", "within", "insert", "replace", "cut", "repeat"),
  // Without fast-check's liking for the ends, where a review ends being one.
  at: fc.noBias(fc.nat(9_999)).map((n) => n / 10_000),
  length: fc.nat(60),
  snippet,
});
type Change = typeof change extends fc.Arbitrary<infer T> ? T : never;

function applied(body: Buffer, { kind, at, length, snippet: put }: Change): Buffer {
  const anywhere = Math.floor(at * body.length);
  // Right after a brace, where a further field keeps the whole JSON.
  const from = kind === "within" ? body.indexOf("{", anywhere) + 1 : anywhere;
  const to = Math.min(body.length, from + length);
  const [before, part, after] = [body.subarray(0, from), body.subarray(from, to), body.subarray(to)];
  switch (kind) {
    case "within":
    case "insert":
      return Buffer.concat([before, put, part, after]);
    case "replace":
      return Buffer.concat([before, put, after]);
    case "repeat":
      return Buffer.concat([before, part, part, after]);
    case "cut":
      return Buffer.concat([before, after]);
  }
}

const damaged = fc
  .tuple(fc.constantFrom(...REVIEWS), fc.array(change, { minLength: 1, maxLength: 4 }))
  .map(([review, changes]) => changes.reduce<Buffer>(applied, review));

/** Bodies of every kind: mostly reviews with some damage, since anything else is soon found to be none. */
export const body = fc.oneof(
  { weight: 8, arbitrary: damaged },
  { weight: 1, arbitrary: fc.uint8Array({ maxLength: 300 }).map((bytes) => Buffer.from(bytes)) },
  { weight: 1, arbitrary: fc.json().map((text) => Buffer.from(text)) },
);
