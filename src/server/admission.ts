import type { IncomingMessage, ServerResponse } from "node:http";
import { admit } from "../admission/handler.ts";
import type { HandlerContext, Verdict } from "../admission/handler.ts";
import { unchanged } from "../admission/outcome.ts";
import type { Code, Outcome } from "../admission/outcome.ts";
import { decodeReview, encodeReview, findUid } from "../admission/review.ts";
import type { AdmissionAnswer, AdmissionRequest, DecodedReview } from "../admission/review.ts";
import { validatePolicy } from "../admission/validate-policy.ts";
import { readBody } from "./body.ts";
import type { Body } from "./body.ts";
import type { Within } from "./deadline.ts";
import { withRoom } from "./with-room.ts";
import type { AskForRoom } from "./with-room.ts";

/** What is told of each answer, for metrics, the log and Events. */
export interface Answered {
  /** Resource of the request, or "unknown" where it could not be read. */
  readonly kind: string;
  readonly outcome: Outcome;
  /** patched, unchanged, audited, failed_open or denied. */
  readonly result: string;
  readonly seconds: number;
  readonly request: AdmissionRequest | undefined;
}

/** What the admission endpoints work with. */
export interface AdmissionOptions {
  /** Read for each request, so that a new policy is in force at once. */
  readonly context: () => HandlerContext;
  readonly policyKey: string;
  /** Ends a decision that takes too long. */
  readonly within: Within;
  /** Asks for room on the storage; nobody is asked where it is left out. */
  readonly room?: AskForRoom;
  readonly onAnswered: (answered: Answered) => void;
  /** Seconds from an arbitrary start, for durations. */
  readonly clock: () => number;
}

/** Answers POST /mutate: always 200 with an AdmissionReview that allows, whatever comes in. */
export async function answerMutate(
  request: IncomingMessage,
  response: ServerResponse,
  options: AdmissionOptions,
): Promise<void> {
  const body = await readBody(request);
  const start = options.clock();
  const decoded = decode(body);
  if (decoded.kind !== "request") {
    const failed = failedOpen(decoded.code, decoded.message);
    send(response, answerOf(decoded.uid, failed));
    options.onAnswered({
      kind: "unknown",
      outcome: failed.outcome,
      result: "failed_open",
      seconds: options.clock() - start,
      request: undefined,
    });
    return;
  }
  const decided = await decide(decoded.request, options);
  // A snapshot that waits for room may take longer than any decision, and no other request.
  const verdict =
    decided.outcome.room === undefined ? decided : await withRoom(decided, { request, start, ...options });
  send(response, answerOf(decoded.request.uid, verdict));
  options.onAnswered({
    kind: decoded.request.resource.resource,
    outcome: verdict.outcome,
    result: resultOf(verdict),
    seconds: options.clock() - start,
    request: decoded.request,
  });
}

/** Answers POST /validate-policy: denies a policy ConfigMap that is not valid, with the line and the reason. */
export async function answerValidatePolicy(
  request: IncomingMessage,
  response: ServerResponse,
  options: AdmissionOptions,
): Promise<void> {
  const body = await readBody(request);
  const start = options.clock();
  const decoded = decode(body);
  if (decoded.kind !== "request") {
    send(response, {
      uid: decoded.uid,
      allowed: true,
      warnings: [`snapshot-retainer: not checked, since ${decoded.message}`],
    });
    return;
  }
  const verdict = validatePolicy(decoded.request, options.policyKey);
  const { allowed, code, message } = verdict;
  send(response, {
    uid: decoded.request.uid,
    allowed,
    auditAnnotations: { code },
    ...(message === undefined ? {} : { message }),
  });
  options.onAnswered({
    kind: decoded.request.resource.resource,
    outcome: { code },
    result: allowed ? "unchanged" : "denied",
    seconds: options.clock() - start,
    request: decoded.request,
  });
}

/** Reads the review of a body; one that is too large is not even tried. */
function decode(body: Body): DecodedReview {
  return body.complete
    ? decodeReview(body.text)
    : {
        kind: "unreadable",
        code: "too_large",
        uid: findUid(body.text),
        message: "its body is larger than 7 MiB",
      };
}

async function decide(request: AdmissionRequest, options: AdmissionOptions): Promise<Verdict> {
  try {
    return await options.within(admit(request, options.context()), TOO_LATE);
  } catch {
    // `admit` answers for its rules itself: this is a bug outside them, and no reason to leave anybody waiting.
    return failedOpen("internal_error", "of an internal error");
  }
}

const TOO_LATE = failedOpen("lookup_failed", "the decision took too long");

function failedOpen(code: Code, why: string): Verdict {
  return {
    outcome: unchanged(code, `snapshot-retainer: unchanged, since ${why}`),
    patch: [],
    audited: false,
  };
}

function answerOf(uid: string, { outcome, patch, audited }: Verdict): AdmissionAnswer {
  return {
    uid,
    allowed: true,
    ...(audited ? {} : { patch }),
    ...(outcome.warnings === undefined ? {} : { warnings: outcome.warnings.map(shorten) }),
    auditAnnotations: { code: audited ? `audit:${outcome.code}` : outcome.code, ...outcome.audit },
  };
}

/** The API server cuts a warning at 256 characters, in the middle of a word and without a sign. */
function shorten(warning: string): string {
  return warning.length <= 256 ? warning : `${warning.slice(0, 253)}...`;
}

const FAILURES: readonly string[] = [
  "unreadable",
  "lookup_failed",
  "internal_error",
  "too_large",
  "no_policy",
];

function resultOf({ outcome, patch, audited }: Verdict): string {
  if (audited) {
    return "audited";
  }
  if (patch.length > 0) {
    return "patched";
  }
  return FAILURES.includes(outcome.code) ? "failed_open" : "unchanged";
}

function send(response: ServerResponse, answer: AdmissionAnswer): void {
  const body = encodeReview(answer);
  response.writeHead(200, { "content-type": "application/json", "content-length": Buffer.byteLength(body) });
  response.end(body);
}
