import type { IncomingMessage, ServerResponse } from "node:http";
import type { Outcome } from "../admission/outcome.ts";
import { decodeReview, encodeReview, findUid } from "../admission/review.ts";
import type { AdmissionAnswer, AdmissionRequest, DecodedReview } from "../admission/review.ts";
import { readBody } from "./body.ts";
import type { Body, BodyBudget } from "./body.ts";

/** What is told of each answer, for metrics, the log and Events. */
export interface Answered {
  /** Resource of the request, or "unknown" where it could not be read. */
  readonly kind: string;
  readonly outcome: Outcome;
  /** patched, unchanged, audited, failed_open or denied. */
  readonly result: Result;
  readonly seconds: number;
  readonly request: AdmissionRequest | undefined;
  /** The API server's trace, where it traces: its header `traceparent`. */
  readonly traceparent?: string | undefined;
}

/** What an answer comes to: as metrics and the log name it. */
export type Result = "patched" | "unchanged" | "audited" | "failed_open" | "denied";

/** A decision: what is answered, and what is told of it. */
export interface Decided {
  readonly answer: Omit<AdmissionAnswer, "uid">;
  readonly outcome: Outcome;
  readonly result: Result;
}

/** One way to decide reviews. Neither function throws or rejects. */
export interface Decision {
  /** At once where nothing has to be waited for: a promise for each request would cost as much as a rule. */
  decide(request: AdmissionRequest, arrival: Arrival): Decided | Promise<Decided>;
  /** What a body gets that could not be read. */
  unreadable(review: Extract<DecodedReview, { kind: "unreadable" }>): Decided;
}

/** How a request came in. */
export interface Arrival {
  readonly url: string | undefined;
  /** When its body had been read, in seconds of `clock`. */
  readonly start: number;
}

/** A request, and where its answer goes. */
interface Exchange {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
}

/** What answering works with, whatever is decided. */
export interface AnswerOptions {
  readonly onAnswered: (answered: Answered) => void;
  /** What may be held of bodies that are being read. */
  readonly bodies: BodyBudget;
  /** Told of connections that broke, and of a report that threw. */
  readonly onError: (error: unknown) => void;
  /** Seconds from an arbitrary start, for durations. */
  readonly clock: () => number;
}

/**
 * Reads a review, decides it, answers with status 200 and an AdmissionReview, and tells of it, whatever comes in. Never
 * throws; a connection that breaks while its request is read has nobody to answer to.
 */
export function answerReview(exchange: Exchange, decision: Decision, options: AnswerOptions): void {
  const { request, response } = exchange;
  function onBroken(error: unknown): void {
    options.onError(error);
    // An answer that was given still reaches its reader.
    if (!response.writableEnded) {
      response.destroy();
    }
  }
  function onBody(body: Body): void {
    try {
      answerBody(body, exchange, decision, options)?.catch(onBroken);
    } catch (error) {
      onBroken(error);
    }
  }
  readBody(request, { budget: options.bodies, onBody, onBroken });
}

/** A promise only where the decision has to wait for something. */
function answerBody(
  body: Body,
  { request, response }: Exchange,
  decision: Decision,
  options: AnswerOptions,
): Promise<void> | undefined {
  const start = options.clock();
  const review = decode(body);
  const read = review.kind === "request" ? review.request : undefined;
  function conclude({ answer, outcome, result }: Decided): void {
    send(response, { uid: review.kind === "request" ? review.request.uid : review.uid, ...answer });
    const kind = read?.resource.resource ?? "unknown";
    const { traceparent } = request.headers;
    options.onAnswered({
      kind,
      outcome,
      result,
      seconds: options.clock() - start,
      request: read,
      traceparent: typeof traceparent === "string" ? traceparent : undefined,
    });
  }
  const decided =
    review.kind === "request"
      ? decision.decide(review.request, { url: request.url, start })
      : decision.unreadable(review);
  if (decided instanceof Promise) {
    return decided.then(conclude);
  }
  conclude(decided);
  return undefined;
}

/** Reads the review of a body; one of which a part is missing is not even tried. */
function decode({ text, missing }: Body): DecodedReview {
  return missing === undefined
    ? decodeReview(text)
    : { kind: "unreadable", code: "too_large", uid: findUid(text), message: MISSING[missing] };
}

const MISSING = {
  "too large": "its body is larger than 7 MiB",
  "too many at once": "more than 32 MiB of reviews are being read at once",
} as const;

function send(response: ServerResponse, answer: AdmissionAnswer): void {
  const body = encodeReview(answer);
  const length = Buffer.byteLength(body);
  response.writeHead(200, ["content-type", "application/json", "content-length", String(length)]);
  // One byte a character, which nearly every answer has, is written without being encoded.
  response.end(body, length === body.length ? "latin1" : "utf8");
}
