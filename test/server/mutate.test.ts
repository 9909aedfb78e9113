import assert from "node:assert/strict";
import { once } from "node:events";
import { connect } from "node:net";
import { after, before, beforeEach, describe, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import fc from "fast-check";
import type { HandlerContext } from "../../src/admission/handler.ts";
import { LookupFailed } from "../../src/admission/lookup.ts";
import { aContext } from "../builders/context.ts";
import { aFailingLookup } from "../builders/lookup.ts";
import {
  aBackup,
  aCloneContent,
  aCloneSnapshot,
  aDataUpload,
  anAcmeSnapshot,
  aVolumeSnapshot,
} from "../builders/objects.ts";
import type { Json } from "../builders/objects.ts";
import { ACME, aPolicy } from "../builders/policy.ts";
import { ACME_MOVER, aRequestBody, aReview, REQUEST_UID, TENANT } from "../builders/request.ts";
import { readResponse } from "../builders/response.ts";
import { startServer } from "../builders/server.ts";
import type { TestServer } from "../builders/server.ts";

const MIB = 1024 * 1024;
const review = aReview(aRequestBody({ object: aBackup(), by: TENANT }));
const snapshotReview = aReview(aRequestBody({ object: aVolumeSnapshot() }));

type ContextOf = () => HandlerContext;
let context: ContextOf;
let server: TestServer;
before(async () => {
  server = await startServer(() => context());
});
after(async () => server.stop());
beforeEach(() => {
  context = aContext;
  server.answered.length = 0;
  server.errors.length = 0;
});

async function mutate(body: string | Uint8Array, path = "/mutate"): Promise<ReturnType<typeof readResponse>> {
  const { status, text } = await server.post(path, body);
  assert.equal(status, 200);
  const response = readResponse(text);
  assert.equal(response.allowed, true);
  return response;
}

describe("POST /mutate", () => {
  test("answers with a patch, and tells of it", async () => {
    const response = await mutate(review, "/mutate?timeout=5s");
    assert.equal(response.uid, REQUEST_UID);
    assert.equal(response.patch?.length, 1);
    assert.deepEqual(
      server.answered.map(({ kind, result, outcome }) => [kind, result, outcome.code]),
      [["backups", "patched", "limit_set"]],
    );
  });

  const unreadable: Record<string, readonly [body: string | Uint8Array, uid: string]> = {
    "an empty body": ["", ""],
    "a body that is no JSON": ["no", ""],
    "a review that was cut short": [review.slice(0, -5), REQUEST_UID],
    "a review of another version": [review.replace("k8s.io/v1", "k8s.io/v2"), REQUEST_UID],
    "bytes that are no text": [Uint8Array.from([0xff, 0xfe, 0, 1]), ""],
  };
  for (const [name, [body, uid]] of Object.entries(unreadable)) {
    test(`allows ${name}, unchanged and with a warning`, async () => {
      const response = await mutate(body);
      assert.equal(response.uid, uid);
      assert.equal(response.patch, undefined);
      assert.match(response.warnings?.[0] ?? "", /^snapshot-retainer: unchanged, since the body is not /);
      assert.deepEqual(response.auditAnnotations, { code: "unreadable" });
      assert.deepEqual(
        server.answered.map(({ kind, result, request }) => [kind, result, request]),
        [["unknown", "failed_open", undefined]],
      );
    });
  }

  test("reads a body of 7 MiB to the last byte", async () => {
    const body = padded(7 * MIB);
    assert.equal(Buffer.byteLength(body), 7 * MIB);
    assert.equal((await mutate(body)).patch?.length, 1);
  });

  test("allows a body of one byte more, unchanged, with its UID", async () => {
    const response = await mutate(padded(7 * MIB + 1));
    assert.equal(response.uid, REQUEST_UID);
    assert.deepEqual(response.warnings, [
      "snapshot-retainer: unchanged, since its body is larger than 7 MiB",
    ]);
    assert.deepEqual(response.auditAnnotations, { code: "too_large" });
  });

  test("allows a body of 20 MiB without keeping it", async () => {
    const response = await mutate(padded(20 * MIB));
    assert.equal(response.uid, REQUEST_UID);
    assert.deepEqual(response.auditAnnotations, { code: "too_large" });
  });

  test("keeps a warning within the 256 characters that the API server passes on", async () => {
    const labels = Object.fromEntries(Array.from({ length: 40 }, (_, n) => [`a${n}`, 1]));
    const object = { ...aBackup(), metadata: { ...labels, name: "b".repeat(300), labels } };
    const { warnings } = await mutate(aReview(aRequestBody({ object, fields: { name: "b" } })));
    assert.deepEqual(
      warnings?.filter((warning) => warning.length > 256),
      [],
    );
    const policyLocation = "x".repeat(300);
    context = () => aContext({ policyLocation });
    const asked = { metadata: { annotations: { "backup.velero.io/data-mover-snapshot-to-retain": "9" } } };
    const long = await mutate(aReview(aRequestBody({ object: aBackup(asked) })));
    assert.equal(long.warnings?.[0]?.length, 256);
    assert.match(long.warnings[0], /\.\.\.$/);
  });

  test("says in audit mode what it would do, and does nothing", async () => {
    context = () => aContext({ policy: aPolicy({ mode: "audit" }) });
    const response = await mutate(review);
    assert.equal(response.patch, undefined);
    assert.equal(response.auditAnnotations?.["code"], "audit:limit_set");
    assert.deepEqual(
      server.answered.map(({ result }) => result),
      ["audited"],
    );
  });

  test("a policy that changes is in force for the next request", async () => {
    for (const number of [4, 5]) {
      const policy = aPolicy({ snapshotsToRetain: number });
      context = () => aContext({ policy });
      const { auditAnnotations } = await mutate(review);
      assert.equal(auditAnnotations?.["limit"], String(number));
    }
  });
});

describe("whatever fails, the request is allowed unchanged, and told why:", () => {
  const failures: Record<string, readonly [() => Promise<undefined>, RegExp, code: string]> = {
    "a look-up that rejects": [
      async () => Promise.reject(new TypeError("x is not a function")),
      /since of an internal error: x is not a function$/,
      "internal_error",
    ],
    "a look-up that throws": [
      () => {
        throw new Error("broken");
      },
      /since of an internal error: broken$/,
      "internal_error",
    ],
    "an API server that does not answer": [
      async () => Promise.reject(new LookupFailed("the API server answered 503")),
      /since a related object could not be looked up: the API server answered 503$/,
      "lookup_failed",
    ],
  };
  for (const [name, [fail, warning, code]] of Object.entries(failures)) {
    test(name, async () => {
      context = () => aContext({ lookup: aFailingLookup(fail) });
      const response = await mutate(snapshotReview);
      assert.equal(response.uid, REQUEST_UID);
      assert.equal(response.patch, undefined);
      assert.match(response.warnings?.[0] ?? "", warning);
      assert.deepEqual(response.auditAnnotations, { code });
      assert.equal(server.answered[0]?.result, "failed_open");
    });
  }

  test("a look-up that never ends, before the API server gives up", async () => {
    context = () => aContext({ lookup: aFailingLookup(async () => new Promise(() => undefined)) });
    const response = await mutate(snapshotReview);
    assert.equal(response.uid, REQUEST_UID);
    assert.equal(response.patch, undefined);
    assert.deepEqual(response.warnings, ["snapshot-retainer: unchanged, since the decision took too long"]);
    assert.deepEqual(response.auditAnnotations, { code: "lookup_failed" });
  });

  test("a context that cannot be had", async () => {
    context = () => {
      throw new Error("no context");
    };
    const response = await mutate(review);
    assert.equal(response.uid, REQUEST_UID);
    assert.deepEqual(response.auditAnnotations, { code: "internal_error" });
  });

  test("a report of the answer that throws, though then it has its answer", async () => {
    const throwing = await startServer(aContext, {
      report() {
        throw new Error("no metrics");
      },
    });
    try {
      for (const _again of [1, 2, 3]) {
        const { text } = await throwing.post("/mutate", review);
        assert.equal(readResponse(text).patch?.length, 1);
      }
      assert.equal(throwing.errors.length, 3);
    } finally {
      await throwing.stop();
    }
  });

  test("a policy that has not been loaded", async () => {
    context = () => aContext({ policy: undefined });
    const response = await mutate(review);
    assert.deepEqual(response.auditAnnotations, { code: "no_policy" });
    assert.equal(server.answered[0]?.result, "failed_open");
  });
});

describe("a client that goes away", () => {
  test("in the middle of its request harms nobody else", async () => {
    const socket = connect(server.port, "127.0.0.1");
    await once(socket, "connect");
    socket.write("POST /mutate HTTP/1.1\r\nhost: x\r\ncontent-length: 1000\r\n\r\n{");
    await sleep(20);
    socket.destroy();
    await until(() => server.errors.length > 0);
    assert.match(String(server.errors[0]), /closed the connection before its request was complete|aborted/);
    assert.equal((await mutate(review)).patch?.length, 1);
  });

  test("before its answer harms nobody else", async () => {
    let resolve: (() => void) | undefined;
    const waiting = new Promise<undefined>((done) => {
      resolve = () => done(undefined);
    });
    context = () => aContext({ lookup: aFailingLookup(async () => waiting) });
    const socket = connect(server.port, "127.0.0.1");
    await once(socket, "connect");
    socket.write(
      `POST /mutate HTTP/1.1\r\nhost: x\r\ncontent-length: ${Buffer.byteLength(snapshotReview)}\r\n\r\n${snapshotReview}`,
    );
    await sleep(20);
    socket.destroy();
    await sleep(20);
    resolve?.();
    await until(() => server.answered.length > 0);
    context = () => aContext();
    assert.equal((await mutate(review)).patch?.length, 1);
  });
});

describe("other requests", () => {
  const others: readonly [method: string, path: string][] = [
    ["GET", "/mutate"],
    ["PUT", "/mutate"],
    ["POST", "/"],
    ["POST", "/mutate/x"],
    ["POST", "/mutated"],
    ["GET", "/validate-policy"],
    ["GET", "/metrics"],
  ];
  for (const [method, path] of others) {
    test(`${method} ${path} is not found`, async () => {
      const response = await fetch(`http://127.0.0.1:${server.port}${path}`, { method });
      assert.equal(response.status, 404);
      assert.equal(
        await response.text(),
        "snapshot-retainer answers POST /mutate and POST /validate-policy\n",
      );
      assert.equal(response.headers.get("x-powered-by"), null);
    });
  }
});

describe("any body", () => {
  const reviews = [
    aBackup(),
    aVolumeSnapshot(),
    aCloneSnapshot(),
    aCloneContent(),
    aDataUpload(),
    anAcmeSnapshot(),
  ].flatMap((object) => [
    aRequestBody({ object, by: ACME_MOVER }),
    aRequestBody({ object, oldObject: object, by: TENANT }),
  ]);
  // Each place of a review, with what does not belong there.
  const strange = fc.oneof(
    fc.constantFrom(null, 0, "", [], {}, true, "x".repeat(100_000), JSON.parse('{"__proto__":{"a":"b"}}')),
    fc.jsonValue({ stringUnit: "binary" }),
    fc.constant(
      JSON.parse('{"labels":{"__proto__":"x","velero.io/backup-name":"y"},"annotations":{"__proto__":{}}}'),
    ),
  );
  const mutated = fc
    .tuple(
      fc.constantFrom(...reviews),
      fc.array(fc.tuple(fc.nat(200), strange), { minLength: 1, maxLength: 3 }),
    )
    .map(([request, changes]) =>
      changes.reduce((at, [place, value]) => replaceAt(at, place, value), request),
    );

  test("of a review in which anything is anything else is answered, allowed, with its UID", async () => {
    context = () => aContext({ policy: aPolicy({ snapshotAssociatedObjects: [ACME] }) });
    await fc.assert(
      fc.asyncProperty(mutated, async (request) => {
        const response = await mutate(aReview(request));
        const { uid } = request;
        if (typeof uid === "string" && /^[0-9a-f-]{36}$/.test(uid)) {
          assert.equal(response.uid, uid);
        }
        assert.ok(response.warnings?.every((warning) => warning.length <= 256) ?? true);
      }),
      { numRuns: 400 },
    );
  });

  const deep = `${'{"a":['.repeat(50_000)}1${"]}".repeat(50_000)}`;
  const places: Record<string, readonly [part: string, code: string]> = {
    "in a field that nobody reads": ['"includedNamespaces":["app"]', "limit_set"],
    "in place of a label": ['"labels":{"a":"b"}', "unreadable"],
    "in place of the object": [JSON.stringify(aBackup()), "unreadable"],
  };
  for (const [name, [part, code]] of Object.entries(places)) {
    test(`nested 100,000 deep ${name} is answered`, async () => {
      const body = aReview(aRequestBody({ object: aBackup({ metadata: { labels: { a: "b" } } }) }));
      const plainBody = aReview(aRequestBody({ object: aBackup() }));
      const [from, whole] = body.includes(part) ? [part, body] : [part, plainBody];
      assert.ok(whole.includes(from));
      const key = /^"[a-zA-Z]+":/.exec(from)?.[0] ?? "";
      const { auditAnnotations } = await mutate(whole.replace(from, `${key}${deep}`));
      assert.equal(auditAnnotations?.["code"], code);
    });
  }

  test("is answered with an AdmissionReview that allows", async () => {
    const bodies = fc.oneof(fc.string({ unit: "binary" }), fc.json(), fc.uint8Array());
    await fc.assert(
      fc.asyncProperty(bodies, async (body) => {
        await mutate(body);
      }),
      { numRuns: 200 },
    );
  });
});

/** A review with white space at its end, as long as wanted. */
function padded(length: number): string {
  return review + " ".repeat(length - Buffer.byteLength(review));
}

/** Replaces the value at one of all places of a value, counted in their order. */
function replaceAt(request: Json, place: number, value: unknown): Json {
  let count = 0;
  const places = JSON.stringify(request).split(/[:,[]/).length - 1;
  const wanted = 1 + (place % places);
  const text = JSON.stringify(request, (_key, part: unknown) => {
    count += 1;
    return count === wanted + 1 ? value : part;
  });
  const result: unknown = JSON.parse(text);
  return typeof result === "object" && result !== null ? Object.fromEntries(Object.entries(result)) : {};
}

async function until(holds: () => boolean): Promise<void> {
  for (let tries = 0; tries < 200 && !holds(); tries += 1) {
    await sleep(10);
  }
  assert.ok(holds());
}
