import type { Term } from "../kube/lease-elector.ts";
import { LeaseLost } from "../kube/lease-elector.ts";
import type { Outcome } from "../kube/work-queue-state.ts";
import { ActionFailed } from "./apply.ts";

/** Longest that the work at one object may take; each of its few requests takes milliseconds. */
export const ATTEMPT_MS = 10_000;

/** Whom to tell of what went wrong. */
export interface AttemptOptions {
  readonly failed: (failure: ActionFailed) => void;
  readonly onError: (error: unknown) => void;
}

/** One attempt in bounded time, which ends with the term. Never rejects. */
export async function attempt(
  term: Term,
  { failed, onError }: AttemptOptions,
  run: (signal: AbortSignal) => Promise<Outcome>,
): Promise<Outcome> {
  const over = new AbortController();
  function abort(): void {
    over.abort();
  }
  const timer = setTimeout(abort, ATTEMPT_MS);
  term.signal.addEventListener("abort", abort, { once: true });
  try {
    return await run(over.signal);
  } catch (error) {
    // Not ours any more: whoever leads now does it.
    if (term.signal.aborted || error instanceof LeaseLost) return { kind: "done" };
    if (error instanceof ActionFailed) failed(error);
    else onError(error);
    return { kind: "failed" };
  } finally {
    clearTimeout(timer);
    term.signal.removeEventListener("abort", abort);
  }
}
