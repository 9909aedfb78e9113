import { admit } from "../admission/handler.ts";
import type { HandlerContext, Verdict } from "../admission/handler.ts";
import { unchanged } from "../admission/outcome.ts";
import type { Code } from "../admission/outcome.ts";
import type { AdmissionRequest } from "../admission/review.ts";
import type { Arrival, Decided, Decision, Result } from "./admission.ts";
import type { Within } from "./deadline.ts";
import { withRoom } from "./with-room.ts";
import type { AskForRoom } from "./with-room.ts";

/** What mutations are decided with. */
export interface MutationOptions {
  /** Read for each request, so that a new policy is in force at once. */
  readonly context: () => HandlerContext;
  /** Ends a decision that takes too long. */
  readonly within: Within;
  /** Asks for room on the storage; nobody is asked where it is left out. */
  readonly room?: AskForRoom;
  /** Seconds from an arbitrary start, for durations. */
  readonly clock: () => number;
}

/** How POST /mutate is decided: allowed, whatever comes in. */
export function createMutation(options: MutationOptions): Decision {
  return {
    decide: (request, arrival) => decide(request, arrival, options),
    unreadable: ({ code, message }) => decidedOf(failedOpen(code, message)),
  };
}

function decide(
  request: AdmissionRequest,
  arrival: Arrival,
  options: MutationOptions,
): Decided | Promise<Decided> {
  try {
    const verdict = admit(request, options.context());
    return verdict instanceof Promise || verdict.outcome.room !== undefined
      ? wait(verdict, arrival, options)
      : decidedOf(verdict);
  } catch {
    return decidedOf(BUG);
  }
}

async function wait(
  admitted: Verdict | Promise<Verdict>,
  arrival: Arrival,
  { within, clock, room }: MutationOptions,
): Promise<Decided> {
  try {
    const verdict = admitted instanceof Promise ? await within(admitted, TOO_LATE) : admitted;
    // A snapshot that waits for room may take longer than any decision, and no other request.
    const waiting = { ...arrival, clock, ...(room && { room }) };
    return decidedOf(verdict.outcome.room === undefined ? verdict : await withRoom(verdict, waiting));
  } catch {
    return decidedOf(BUG);
  }
}

const TOO_LATE = failedOpen("lookup_failed", "the decision took too long");
/** `admit` answers for its rules itself: this is a bug outside them, and no reason to leave anybody waiting. */
const BUG = failedOpen("internal_error", "of an internal error");

function failedOpen(code: Code, why: string): Verdict {
  return {
    outcome: unchanged(code, `snapshot-retainer: unchanged, since ${why}`),
    patch: [],
    audited: false,
  };
}

function decidedOf(verdict: Verdict): Decided {
  const { outcome, patch, audited } = verdict;
  const { code, warnings, audit } = outcome;
  return {
    answer: {
      allowed: true,
      ...(audited ? {} : { patch }),
      ...(warnings === undefined ? {} : { warnings: warnings.map(shorten) }),
      auditAnnotations: { code: audited ? `audit:${code}` : code, ...audit },
    },
    outcome,
    result: resultOf(verdict),
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

function resultOf({ outcome, patch, audited }: Verdict): Result {
  if (audited) {
    return "audited";
  }
  if (patch.length > 0) {
    return "patched";
  }
  return FAILURES.includes(outcome.code) ? "failed_open" : "unchanged";
}
