import type { Keep } from "../policy/schema.ts";
import { PERIODS, periodOf } from "./time.ts";
import type { Period } from "./time.ts";

/** Something with a time, milliseconds since 1970. */
export interface Timed {
  readonly key: string;
  readonly takenMs: number;
}

/**
 * Which of these are the newest of an hour, day, week or month that the policy keeps, and of which. Only periods that
 * have one count, so that a schedule that stood still ages nothing away. `newestFirst` is in that order.
 */
export function bucketsOf(newestFirst: readonly Timed[], keep: Keep): ReadonlyMap<string, readonly Period[]> {
  const kept = new Map<string, Period[]>();
  for (const period of PERIODS) {
    const seen = new Set<number>();
    for (const { key, takenMs } of newestFirst) {
      const bucket = periodOf(takenMs, period);
      if (seen.size < keep[period] && !seen.has(bucket)) {
        seen.add(bucket);
        kept.set(key, [...(kept.get(key) ?? []), period]);
      }
    }
  }
  return kept;
}
