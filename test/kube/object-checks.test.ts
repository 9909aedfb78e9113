import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import type * as z from "zod";
import { decodeReview, AdmissionRequest } from "../../src/admission/review.ts";
import {
  isBackup,
  isDataUpload,
  isVolumeSnapshot,
  isVolumeSnapshotContent,
} from "../../src/kube/object-checks.ts";
import { Backup, DataUpload, VolumeSnapshot, VolumeSnapshotContent } from "../../src/kube/objects.ts";
import { aBackup, aCloneContent, aContent, aDataUpload, aVolumeSnapshot } from "../builders/objects.ts";
import type { Json } from "../builders/objects.ts";
import { aRequestBody, aReview } from "../builders/request.ts";

interface Case {
  readonly schema: z.ZodType;
  readonly check: (value: unknown) => boolean;
  /** As the API server sends them. */
  readonly objects: readonly Json[];
}

const metadata = {
  uid: "u",
  resourceVersion: "1",
  creationTimestamp: null,
  deletionTimestamp: "2026-11-22T01:00:00Z",
  labels: { a: "b" },
  annotations: null,
  ownerReferences: [{ kind: "Backup", name: "nightly-1" }],
};
const cases: Record<string, Case> = {
  Backup: {
    schema: Backup,
    check: isBackup,
    objects: [aBackup(), aBackup({ metadata, status: { phase: "New" } }), { metadata: {} }],
  },
  VolumeSnapshot: {
    schema: VolumeSnapshot,
    check: isVolumeSnapshot,
    objects: [
      aVolumeSnapshot(),
      aVolumeSnapshot({ metadata, status: { boundVolumeSnapshotContentName: "c" } }),
    ],
  },
  VolumeSnapshotContent: {
    schema: VolumeSnapshotContent,
    check: isVolumeSnapshotContent,
    objects: [aContent(), aCloneContent(), aContent({ metadata, status: { snapshotHandle: "h" } })],
  },
  DataUpload: {
    schema: DataUpload,
    check: isDataUpload,
    objects: [aDataUpload(), aDataUpload({ metadata, status: { phase: null } })],
  },
};

const strange = fc.oneof(
  fc.constantFrom(null, 0, true, "", "x", [], [1], {}, JSON.parse('{"__proto__":"x"}')),
  fc.constantFrom({ a: 1 }, { name: 1 }, { labels: { a: 1 } }, { kind: "Backup" }),
);

test("a map with a key that JavaScript treats apart is left to the schema", () => {
  const labels: unknown = JSON.parse('{"a":"b","__proto__":"c"}');
  assert.ok(!isBackup(aBackup({ metadata: { labels } })));
});

for (const [kind, { schema, check, objects }] of Object.entries(cases)) {
  describe(`the check of a ${kind}`, () => {
    for (const [index, object] of objects.entries()) {
      test(`takes what the API server sends (${index})`, () => {
        assert.ok(check(object));
      });
    }

    test("takes nothing that its schema refuses or would change", () => {
      const changed = fc.tuple(fc.constantFrom(...objects), fc.nat(60), strange).map(replaced);
      fc.assert(
        fc.property(changed, (value) => {
          if (check(value)) {
            const parsed = schema.safeParse(value);
            assert.ok(parsed.success);
            assert.ok(isPart(parsed.data, value));
          }
        }),
        { numRuns: 2_000 },
      );
    });
  });
}

describe("decodeReview", () => {
  test("takes no request that its schema refuses or would change", () => {
    const body = aRequestBody({ object: aBackup() });
    const changed = fc.tuple(fc.constant(body), fc.nat(60), strange).map(replaced);
    fc.assert(
      fc.property(changed, (value) => {
        const decoded = decodeReview(aReview(Object.fromEntries(Object.entries(value ?? {}))));
        const parsed = AdmissionRequest.safeParse(value);
        assert.equal(decoded.kind === "request", parsed.success);
        assert.ok(decoded.kind !== "request" || isPart(parsed.data, decoded.request));
      }),
      { numRuns: 2_000 },
    );
  });
});

/** The value with another one in the place of that number, counted as JSON is written. */
function replaced([value, place, other]: [Json, number, unknown]): unknown {
  let count = -1;
  const text = JSON.stringify(value, (_key, part: unknown) => {
    count += 1;
    return count === place ? other : part;
  });
  const result: unknown = JSON.parse(text);
  return result;
}

/** Whether everything that the schema gave stands in the value too; what the schema left out may be there. */
function isPart(part: unknown, whole: unknown): boolean {
  if (typeof part !== "object" || part === null) {
    return Object.is(part, whole);
  }
  const found = new Map(Object.entries(whole ?? {}));
  return Object.entries(part).every(([key, value]) => isPart(value, found.get(key)));
}
