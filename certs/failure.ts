import { ApiException } from "@kubernetes/client-node";
import * as z from "zod";

/** The part of a Kubernetes Status that explains a failure. */
const Status = z.object({ reason: z.string().optional(), message: z.string().optional() });

/** Gives the HTTP status the API server answered with; undefined when it did not answer. */
export function statusOf(error: unknown): number | undefined {
  return error instanceof ApiException ? error.code : undefined;
}

/**
 * Describes a failure in one line. An ApiException's own message is not used: it contains the whole answer with its
 * headers.
 */
export function describeFailure(error: unknown): string {
  if (error instanceof ApiException) {
    const status = parseStatus(error.body);
    return [String(error.code), status.reason, status.message].filter((part) => part !== undefined).join(" ");
  }
  if (!(error instanceof Error)) return String(error);
  // fetch says only "fetch failed"; why it did is in the cause.
  return error.cause instanceof Error ? `${error.message}: ${error.cause.message}` : error.message;
}

function parseStatus(body: unknown): z.infer<typeof Status> {
  try {
    return Status.parse(typeof body === "string" ? JSON.parse(body) : body);
  } catch {
    return {};
  }
}
