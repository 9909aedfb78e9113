import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { decodeReview, encodeReview, findUid } from "../../src/admission/review.ts";
import { aBackup } from "../builders/objects.ts";
import { aRequestBody, aReview, REQUEST_UID } from "../builders/request.ts";
import { readResponse } from "../builders/response.ts";

const review = aReview(aRequestBody({ object: aBackup() }));

describe("decodeReview", () => {
  test("reads a review", () => {
    const decoded = decodeReview(review);
    assert.equal(decoded.kind === "request" && decoded.request.uid, REQUEST_UID);
    assert.deepEqual(decoded.kind === "request" && decoded.request.object, aBackup());
  });

  test("reads all of a review whose managedFields are not what the API server makes them", () => {
    const request = aRequestBody({ object: aBackup({ metadata: { managedFields: [[1], 2] } }) });
    const decoded = decodeReview(aReview(request));
    assert.deepEqual(decoded.kind === "request" && decoded.request.object, request["object"]);
  });

  const unreadable: Record<string, readonly [body: string, uid: string, message: RegExp]> = {
    "an empty body": ["", "", /not valid JSON/],
    "what is no JSON": ["<html>", "", /not valid JSON/],
    "a review that was cut short": [review.slice(0, 300), REQUEST_UID, /not valid JSON/],
    "a text": ['"AdmissionReview"', "", /expected object/],
    "a list": ["[]", "", /expected object/],
    nothing: ["null", "", /expected object/],
    "another kind": [review.replace("AdmissionReview", "Status"), REQUEST_UID, /: kind: /],
    "another version": [review.replace("k8s.io/v1", "k8s.io/v1beta1"), REQUEST_UID, /: apiVersion: /],
    "a review without a request": [
      '{"kind":"AdmissionReview","apiVersion":"admission.k8s.io/v1"}',
      "",
      /: request: /,
    ],
    "a request without a UID": [review.replace('"uid"', '"uuid"'), "", /: request.uid: /],
    "an operation that there is none of": [
      review.replace("CREATE", "PATCH"),
      REQUEST_UID,
      /: request.operation: /,
    ],
  };
  for (const [name, [body, uid, message]] of Object.entries(unreadable)) {
    test(`says why ${name} cannot be read, with the UID where there is one`, () => {
      const decoded = decodeReview(body);
      assert.equal(decoded.kind, "unreadable");
      assert.equal(decoded.uid, uid);
      assert.match(decoded.message, message);
    });
  }

  test("takes a user without a name", () => {
    const decoded = decodeReview(aReview({ ...aRequestBody({ object: aBackup() }), userInfo: {} }));
    assert.equal(decoded.kind === "request" && decoded.request.userInfo.username, "");
  });

  test("never throws, on any text and any JSON", () => {
    fc.assert(
      fc.property(fc.oneof(fc.string({ unit: "binary" }), fc.json({ stringUnit: "binary" })), (body) => {
        assert.equal(decodeReview(body).kind, "unreadable");
      }),
    );
    for (const body of ["[".repeat(200_000), '{"request":'.repeat(50_000), `"${"a".repeat(2_000_000)}"`]) {
      assert.equal(decodeReview(body).kind, "unreadable");
    }
  });
});

describe("findUid", () => {
  test("finds the UID of a review that was cut short anywhere after it", () => {
    const end = review.indexOf(REQUEST_UID) + REQUEST_UID.length + 1;
    for (const length of [end, end + 1, 200, review.length]) {
      assert.equal(findUid(review.slice(0, length)), REQUEST_UID);
    }
    assert.equal(findUid(review.slice(0, end - 1)), "");
  });
  test("does not take the UID of an object for it", () => {
    const [before, after] = review.split(`"uid":"${REQUEST_UID}",`);
    assert.equal(
      findUid(`${before ?? ""}${after ?? ""}`.replace('"metadata":{', '"metadata":{"uid":"other",')),
      "",
    );
  });
  test("looks only at the beginning", () => {
    assert.equal(findUid(`${" ".repeat(5_000)}${review}`), "");
  });
  test("takes no time for a body made to be slow", () => {
    assert.equal(findUid('"request":{"uid"'.repeat(10_000)), "");
  });
});

describe("encodeReview", () => {
  test("answers with the UID alone where nothing is said", () => {
    assert.deepEqual(readResponse(encodeReview({ uid: "u", allowed: true })), { uid: "u", allowed: true });
    const empty = encodeReview({ uid: "u", allowed: true, patch: [], warnings: [] });
    assert.deepEqual(readResponse(empty), { uid: "u", allowed: true });
  });
  test("says why a policy is refused", () => {
    assert.deepEqual(readResponse(encodeReview({ uid: "u", allowed: false, message: "line 1" })), {
      uid: "u",
      allowed: false,
      status: { message: "line 1", code: 422, reason: "Invalid" },
    });
  });
  test("carries any patch, warning and annotation over the wire", () => {
    const text = fc.string({ unit: "grapheme" });
    fc.assert(
      fc.property(text, text, text, (path, value, warning) => {
        const patch = [{ op: "add" as const, path, value }];
        const answer = {
          uid: "u",
          allowed: true,
          patch,
          warnings: [warning],
          auditAnnotations: { [path]: value },
        };
        fc.pre(path !== "__proto__");
        const read = readResponse(encodeReview(answer));
        assert.deepEqual(read, { ...answer, patchType: "JSONPatch" });
      }),
    );
  });
});
