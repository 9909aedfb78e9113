import { formatDuration } from "../policy/duration.ts";
import type { RetentionPolicy } from "../policy/schema.ts";
import { bucketsOf } from "./buckets.ts";
import type { Decision, Entry } from "./entry.ts";
import type { Period } from "./time.ts";

/** What age and buckets say of the retained snapshots of one volume, by key, and when that changes by itself. */
export interface AgeRules {
  readonly decisions: ReadonlyMap<string, Decision>;
  readonly recheckAt: readonly number[];
}

/**
 * Judges each by `minAge`, `maxAge` and `keep`. Nothing is said of one whose age is not known. Without any of these rules
 * the number alone decides. `newestFirst` is in that order.
 */
export function judgeByAge(newestFirst: readonly Entry[], policy: RetentionPolicy, now: number): AgeRules {
  const decisions = new Map<string, Decision>();
  const recheckAt: number[] = [];
  const aged = newestFirst.filter(({ snapshot }) => snapshot.takenNs < Infinity);
  const buckets = policy.keep && bucketsOf(aged.filter(isReady).map(timed), policy.keep);
  for (const entry of aged) {
    const { key, takenMs } = timed(entry);
    const decision = judge({ entry, ageMs: now - takenMs, buckets: buckets?.get(key) }, policy);
    if (decision !== undefined) {
      decisions.set(key, decision);
    }
    recheckAt.push(...[policy.minAge, policy.maxAge].map((age) => Math.ceil(takenMs + (age ?? -Infinity))));
  }
  return { decisions, recheckAt: recheckAt.filter((at) => at > now) };
}

interface Judged {
  readonly entry: Entry;
  readonly ageMs: number;
  readonly buckets: readonly Period[] | undefined;
}

function judge({ entry, ageMs, buckets }: Judged, policy: RetentionPolicy): Decision | undefined {
  const { minAge = 0, maxAge = Infinity, keep } = policy;
  if (ageMs < minAge) {
    return { kept: true, reason: "younger_than_min_age", detail: formatDuration(minAge) };
  }
  if (ageMs >= maxAge) {
    return { kept: false, reason: "older_than_max_age", detail: formatDuration(maxAge) };
  }
  // One that is not ready is in no bucket, and might be soon: the number alone judges it.
  if (keep === undefined || !isReady(entry)) {
    return undefined;
  }
  return buckets === undefined
    ? { kept: false, reason: "not_in_a_bucket" }
    : { kept: true, reason: "kept_by_bucket", detail: buckets.join(", ") };
}

/** Whether a restore could use it, as far as the storage says. */
export function isReady({ snapshot }: Entry): boolean {
  return snapshot.content?.status?.readyToUse === true;
}

function timed({ snapshot }: Entry): { key: string; takenMs: number } {
  return { key: snapshot.key, takenMs: snapshot.takenNs / 1e6 };
}
