import type { ClaimEvent } from "./objects.ts";

/** Failures of the provisioner that are taken for an answer: it tries again by itself, and the first may be an accident. */
const FAILURES = 2;

/**
 * Codes after which the provisioner goes on with the same volume: its call takes longer than its own patience of ten seconds,
 * or the driver is away for a moment (external-provisioner, checkError). How long it may take is `readyWithin`'s to say.
 */
const UNDER_WAY = /\bcode = (Canceled|DeadlineExceeded|Unavailable|Aborted)\b/;

/** Why the provisioner made no volume, by its Events about a claim; undefined while it may still. */
export function failureIn(events: readonly ClaimEvent[]): string | undefined {
  const failed = events.filter(
    ({ reason, message }) => reason === "ProvisioningFailed" && !UNDER_WAY.test(message ?? ""),
  );
  const times = failed.reduce((sum, { count, series }) => sum + (series?.count ?? count ?? 1), 0);
  return times < FAILURES ? undefined : (failed.at(-1)?.message ?? "the provisioner failed");
}
