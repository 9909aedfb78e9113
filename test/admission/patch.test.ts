import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { apply_patch } from "jsonpatch";
import { escapePointer, textAt } from "../../src/admission/json-pointer.ts";
import { patchFor } from "../../src/admission/patch.ts";
import type { Editable, Edits, PatchOperation } from "../../src/admission/patch.ts";

interface Case {
  readonly object: Editable;
  readonly edits: Edits;
  readonly want: readonly PatchOperation[];
}

const cases: Record<string, Case> = {
  "adds a parent that is absent": {
    object: { metadata: {} },
    edits: { labels: { a: "1", b: "2" } },
    want: [{ op: "add", path: "/metadata/labels", value: { a: "1", b: "2" } }],
  },
  "adds a parent that is null": {
    object: { metadata: { annotations: null } },
    edits: { annotations: { a: "1" } },
    want: [{ op: "add", path: "/metadata/annotations", value: { a: "1" } }],
  },
  "adds to a parent that is there": {
    object: { metadata: { labels: {} } },
    edits: { labels: { a: "1" } },
    want: [{ op: "add", path: "/metadata/labels/a", value: "1" }],
  },
  "replaces another value": {
    object: { metadata: { labels: { a: "0" } } },
    edits: { labels: { a: "1" } },
    want: [{ op: "replace", path: "/metadata/labels/a", value: "1" }],
  },
  "says nothing of a value that is there": {
    object: { metadata: { labels: { a: "1" } } },
    edits: { labels: { a: "1" } },
    want: [],
  },
  "removes a key": {
    object: { metadata: { labels: { a: "1", b: "2" } } },
    edits: { labels: { a: undefined } },
    want: [{ op: "remove", path: "/metadata/labels/a" }],
  },
  "does not remove what is not there": {
    object: { metadata: { labels: { b: "2" } } },
    edits: { labels: { a: undefined }, annotations: { a: undefined } },
    want: [],
  },
  "escapes slashes and tildes": {
    object: { metadata: { labels: { "a/b~c": "0" } } },
    edits: { labels: { "a/b~c": "1", "~1": "2" } },
    want: [
      { op: "replace", path: "/metadata/labels/a~1b~0c", value: "1" },
      { op: "add", path: "/metadata/labels/~01", value: "2" },
    ],
  },
  "adds a list that is absent": {
    object: { metadata: {} },
    edits: { finalizers: ["a"] },
    want: [{ op: "add", path: "/metadata/finalizers", value: ["a"] }],
  },
  "adds to a list what is not in it": {
    object: { metadata: { finalizers: ["a"] } },
    edits: { finalizers: ["a", "b"] },
    want: [{ op: "add", path: "/metadata/finalizers/-", value: "b" }],
  },
  "adds a field to the spec": {
    object: { metadata: {}, spec: { x: 1 } },
    edits: { spec: { retainSnapshot: true } },
    want: [{ op: "add", path: "/spec/retainSnapshot", value: true }],
  },
  "adds a spec where there is none": {
    object: { metadata: {} },
    edits: { spec: { retainSnapshot: true } },
    want: [{ op: "add", path: "/spec", value: { retainSnapshot: true } }],
  },
  "takes inherited names for keys like others": {
    object: { metadata: { labels: {} } },
    edits: { labels: { constructor: "a", toString: "b" } },
    want: [
      { op: "add", path: "/metadata/labels/constructor", value: "a" },
      { op: "add", path: "/metadata/labels/toString", value: "b" },
    ],
  },
};

describe("patchFor", () => {
  for (const [name, { object, edits, want }] of Object.entries(cases)) {
    test(name, () => {
      assert.deepEqual(patchFor(object, edits), want);
    });
  }

  const key = fc.oneof(
    fc.string({ unit: fc.constantFrom("a", "b", "/", "~", "0", "1", "."), maxLength: 4 }),
    fc.constantFrom("constructor", "toString", "hasOwnProperty", "velero.io/backup-name", ""),
  );
  const map = fc.option(
    fc.dictionary(key, fc.string({ maxLength: 3 }), { noNullPrototype: true, maxKeys: 5 }),
    {
      nil: undefined,
    },
  );
  const edit = fc.option(
    fc.dictionary(key, fc.option(fc.string({ maxLength: 3 }), { nil: undefined }), {
      noNullPrototype: true,
      maxKeys: 5,
    }),
    { nil: undefined },
  );
  const objects = fc.record({
    labels: map,
    annotations: fc.oneof(map, fc.constant(null)),
    name: fc.string(),
  });

  test("gives the wanted object, with the jsonpatch library, from any object and any edits", () => {
    fc.assert(
      fc.property(objects, edit, edit, (metadata, labels, annotations) => {
        const object = { kind: "X", metadata, more: [1, { "a/b": 2 }] };
        const edits = { ...(labels && { labels }), ...(annotations && { annotations }) };
        const sent = asJson(object);
        const patched = apply_patch(structuredClone(sent), [...patchFor(object, edits)]);
        const want = { ...object, metadata: { ...metadata, ...wanted(metadata, edits) } };
        assert.deepEqual(sorted(patched), sorted(asJson(want)));
        assert.deepEqual(patchFor({ metadata: { ...metadata, ...wanted(metadata, edits) } }, edits), []);
      }),
      { numRuns: 3000 },
    );
  });

  test("never has more operations than edits, nor one that changes nothing", () => {
    fc.assert(
      fc.property(objects, edit, (metadata, labels) => {
        const patch = patchFor({ metadata }, { labels: labels ?? {} });
        assert.ok(patch.length <= Object.keys(labels ?? {}).length);
        for (const { op, path } of patch) {
          const at = textAt({ metadata }, path);
          assert.ok(op === "remove" || !("value" in patch) || at !== patch.value);
        }
      }),
    );
  });
});

test("a key escaped and read as a JSON Pointer is the key again", () => {
  fc.assert(
    fc.property(fc.string(), (any) => {
      const object: unknown = JSON.parse(`{${JSON.stringify(any)}:"found"}`);
      assert.equal(textAt(object, `/${escapePointer(any)}`), "found");
    }),
  );
});

describe("textAt", () => {
  const object: unknown = JSON.parse(
    '{"a":{"b~/c":"deep","empty":"","n":1},"list":["x",{"y":"z"}],"__proto__":{"p":"own"}}',
  );
  const pointers: Record<string, string | undefined> = {
    "/a/b~0~1c": "deep",
    "/list/0": "x",
    "/list/1/y": "z",
    "/a/empty": undefined,
    "/a/n": undefined,
    "/a": undefined,
    "/a/b": undefined,
    "/list/2": undefined,
    "/list/-": undefined,
    "/list/length": undefined,
    "/a/constructor/name": undefined,
    "/a/toString": undefined,
    "": undefined,
    "/__proto__/p": "own",
  };
  for (const [pointer, want] of Object.entries(pointers)) {
    test(`finds ${want ?? "nothing"} at ${JSON.stringify(pointer)}`, () => {
      assert.equal(textAt(object, pointer), want);
    });
  }
  test("finds nothing in what is no object", () => {
    for (const value of [null, undefined, "text", 1, true]) {
      assert.equal(textAt(value, "/a"), undefined);
    }
  });
});

type Part = Readonly<Record<string, string | undefined>> | null | undefined;

/** The edits' own meaning, written down without a patch: given keys are as given, undefined ones are gone. */
function wanted(
  metadata: { readonly labels: Part; readonly annotations: Part },
  edits: Edits,
): Record<string, Record<string, string>> {
  const parts: Record<string, Record<string, string>> = {};
  for (const name of ["labels", "annotations"] as const) {
    const result = new Map<string, string | undefined>(Object.entries(metadata[name] ?? {}));
    for (const [key, value] of Object.entries(edits[name] ?? {})) {
      result.set(key, value);
    }
    const entries = [...result].filter((entry): entry is [string, string] => entry[1] !== undefined);
    const absent = metadata[name] === undefined || metadata[name] === null;
    if (!absent || entries.length > 0) {
      parts[name] = Object.fromEntries(entries);
    }
  }
  return parts;
}

function asJson(value: unknown): unknown {
  return JSON.parse(JSON.stringify(value));
}

function sorted(value: unknown): unknown {
  return JSON.parse(
    JSON.stringify(value, (_key, part: unknown) =>
      typeof part === "object" && part !== null && !Array.isArray(part)
        ? Object.fromEntries(Object.entries(part).toSorted(([a], [b]) => (a < b ? -1 : 1)))
        : part,
    ),
  );
}
