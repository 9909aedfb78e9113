import assert from "node:assert/strict";
import { isDeepStrictEqual } from "node:util";
import * as z from "zod";
import { decodeReview } from "../../src/admission/review.ts";
import { readResponse } from "../builders/response.ts";
import type { TestServer } from "../builders/server.ts";

/** Where bodies are sent. */
export const PATHS = ["/mutate", "/validate-policy"] as const;

/** One body that is sent to a path. */
export interface Shot {
  readonly path: (typeof PATHS)[number];
  readonly body: Uint8Array;
}

/** What we may change, and nothing else. */
const OURS = /^\/(metadata\/(labels|annotations|finalizers)|spec)(\/|$)/;

const Uid = z.object({ request: z.object({ uid: z.string() }) });

/** Sends a body to a real server and throws where what comes back is not what it always has to be. */
export async function check(server: TestServer, { path, body }: Shot): Promise<void> {
  const reported = server.errors.length;
  const { status, text } = await server.post(path, body);
  assert.equal(status, 200);
  const response = readResponse(text);
  assert.ok(response.allowed || path === "/validate-policy", "denied");
  assert.deepEqual(server.errors.slice(reported), []);
  const sent = Buffer.from(body).toString("utf8");
  const review = whole(sent);
  if (decodeReview(sent).kind === "request") {
    if (review !== undefined) assert.equal(response.uid, Uid.parse(review).request.uid);
  } else {
    assert.ok(response.allowed, "denied what could not be read");
    assert.equal(response.patch, undefined);
  }
  for (const { path: place } of response.patch ?? []) assert.match(place, OURS);
  assert.ok(response.warnings?.every((warning) => warning.length <= 256) ?? true);
  assert.deepEqual(Object.keys(Object.prototype), [], "Object.prototype was written to");
  assert.ok(!("polluted" in {}), "Object.prototype was written to");
  if (review !== undefined) assertReadAsWritten(sent, review);
}

/** Whatever is skipped of managedFields, all else of a review that is JSON is read as JSON.parse reads it. */
function assertReadAsWritten(sent: string, review: unknown): void {
  const decoded = decodeReview(sent);
  if (decoded.kind !== "request") return;
  const { object } = z
    .object({ request: z.looseObject({ object: z.unknown().optional() }) })
    .parse(review).request;
  assert.ok(
    isDeepStrictEqual(without(decoded.request.object), without(object)),
    "read otherwise than JSON.parse",
  );
}

function without(value: unknown): unknown {
  return value === undefined
    ? undefined
    : JSON.parse(JSON.stringify(value, (key, part: unknown) => (key === "managedFields" ? 0 : part)));
}

/** The value of a body that is JSON from its beginning to its end; undefined for any other, and where it is too deep to compare. */
function whole(text: string): unknown {
  try {
    const value: unknown = JSON.parse(text);
    without(value);
    return value;
  } catch {
    return undefined;
  }
}
