import { ApiError } from "../src/kube/rest.ts";

/** Gives the HTTP status the API server answered with; undefined when it did not answer. */
export function statusOf(error: unknown): number | undefined {
  return error instanceof ApiError ? error.status : undefined;
}

/** Describes a failure in one line. */
export function describeFailure(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  // fetch says only "fetch failed"; why it did is in the cause. Our own messages say it themselves.
  return error.cause instanceof Error && !error.message.includes(error.cause.message)
    ? `${error.message}: ${error.cause.message}`
    : error.message;
}
