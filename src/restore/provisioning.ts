import type { ClaimEvent } from "./objects.ts";

/** Failures of the provisioner that are taken for an answer: it tries again by itself, and the first may be an accident. */
const FAILURES = 2;

/** Why the provisioner made no volume, by its Events about a claim; undefined while it may still. */
export function failureIn(events: readonly ClaimEvent[]): string | undefined {
  const failed = events.filter(({ reason }) => reason === "ProvisioningFailed");
  const times = failed.reduce((sum, { count, series }) => sum + (series?.count ?? count ?? 1), 0);
  return times < FAILURES ? undefined : (failed.at(-1)?.message ?? "the provisioner failed");
}
