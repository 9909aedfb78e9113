import type { Metrics } from "../metrics.ts";
import type { Answered } from "./admission.ts";

/** Answers that are counted, of which metrics are told later. */
export interface Tallies {
  count(answered: Answered): void;
  /** Tells metrics of everything counted so far. */
  flush(): void;
}

/** How many answers of one sort wait at most: some kilobytes of numbers. */
const WAITING = 500;

interface Tally {
  readonly counter: ReturnType<Metrics["admissions"]["labels"]>;
  readonly histogram: ReturnType<Metrics["admissionSeconds"]["labels"]>;
  readonly seconds: number[];
}

/**
 * Counts answers by their labels. prom-client writes out the labels at each call, which costs several microseconds of a
 * request: it is called for many at once, and in between only their durations are kept (docs/performance.md).
 */
export function createTallies(metrics: Pick<Metrics, "admissions" | "admissionSeconds">): Tallies {
  const tallies = new Map<string, Tally>();
  return {
    count(answered) {
      const { outcome, result, seconds, request } = answered;
      const { code } = outcome;
      const kind = boundedKind(answered);
      const operation = request?.operation ?? "unknown";
      const key = `${kind} ${operation} ${result} ${code}`;
      const tally = tallies.get(key) ?? {
        counter: metrics.admissions.labels({ kind, operation, outcome: result, code }),
        histogram: metrics.admissionSeconds.labels({ kind }),
        seconds: [],
      };
      tallies.set(key, tally);
      if (tally.seconds.push(seconds) >= WAITING) {
        flush(tally);
      }
    },
    flush() {
      for (const tally of tallies.values()) {
        flush(tally);
      }
    },
  };
}

function flush({ counter, histogram, seconds }: Tally): void {
  counter.inc(seconds.length);
  for (const duration of seconds.splice(0)) {
    histogram.observe(duration);
  }
}

/** Whoever reaches the port may ask about any resource: what no rule handles must not become a label of its own. */
function boundedKind({ kind, outcome }: Answered): string {
  return outcome.code === "not_handled" || outcome.code === "no_policy" ? "other" : kind;
}
