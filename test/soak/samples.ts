import * as z from "zod";

/** What a process keeps at one moment, and how late its event loop was since the moment before. */
export const Sample = z.object({
  /** Bytes that are live after a collection. */
  heap: z.number(),
  /** Bytes. */
  rss: z.number(),
  /** Open file descriptors. */
  files: z.number(),
  /** Timers that are set. */
  timers: z.number(),
  lagMs: z.number(),
  lagP99Ms: z.number(),
});
export type Sample = z.infer<typeof Sample>;

/** A sample, and how much the process had done by then. */
export interface Measured extends Sample {
  readonly done: number;
}

/** A line of the result. */
export interface Verdict {
  readonly what: string;
  readonly value: number;
  readonly most: number;
  readonly unit: string;
  readonly ok: boolean;
}

/** What a process may take; each with its reason. */
export interface Thresholds {
  /** What is done: "1,000 admissions". */
  readonly per: string;
  readonly perCount: number;
  /** Bytes of live heap that stay for each of these. */
  readonly heapPer: number;
  readonly rssMiB: number;
  readonly moreFiles: number;
  readonly moreTimers: number;
  readonly lagP99Ms: number;
}

/** By how much `y` grows for each `x`, by least squares; 0 for fewer than two different `x`. */
export function slope(points: readonly { readonly x: number; readonly y: number }[]): number {
  const meanX = mean(points.map(({ x }) => x));
  const meanY = mean(points.map(({ y }) => y));
  const spread = points.reduce((sum, { x }) => sum + (x - meanX) ** 2, 0);
  const together = points.reduce((sum, { x, y }) => sum + (x - meanX) * (y - meanY), 0);
  return spread === 0 ? 0 : together / spread;
}

/**
 * Judges a process by the second half of its samples: the first is compilation, full pools, and objects that have not reached
 * their number yet. Files and timers are compared by their middle values, since both come and go with every request.
 */
export function judge(name: string, samples: readonly Measured[], most: Thresholds): Verdict[] {
  const half = samples.slice(Math.floor(samples.length / 2));
  const middle = Math.floor(half.length / 2);
  function growth(key: "files" | "timers"): number {
    return (
      median(half.slice(middle).map((one) => one[key])) - median(half.slice(0, middle).map((one) => one[key]))
    );
  }
  const bytes = slope(half.map(({ done, heap }) => ({ x: done, y: heap }))) * most.perCount;
  const verdicts = [
    { what: `live heap for ${most.per}`, value: bytes, most: most.heapPer, unit: "B" },
    {
      what: "memory (RSS), at most",
      value: Math.max(...samples.map(({ rss }) => rss)) / 2 ** 20,
      most: most.rssMiB,
      unit: "MiB",
    },
    { what: "more open files", value: growth("files"), most: most.moreFiles, unit: "" },
    { what: "more timers", value: growth("timers"), most: most.moreTimers, unit: "" },
    {
      what: "event loop late, middle of p99",
      value: median(half.map(({ lagP99Ms }) => lagP99Ms)),
      most: most.lagP99Ms,
      unit: "ms",
    },
  ];
  return verdicts.map((verdict) => ({
    ...verdict,
    what: `${name}: ${verdict.what}`,
    ok: verdict.value <= verdict.most,
  }));
}

/** The result as a table. */
export function renderVerdicts(verdicts: readonly Verdict[]): string {
  const width = Math.max(...verdicts.map(({ what }) => what.length));
  return verdicts
    .map(({ what, value, most, unit, ok }) => {
      const numbers =
        `${value.toFixed(1)} ${unit}`.trim().padStart(14) + `${most} ${unit}`.trim().padStart(14);
      return `${what.padEnd(width)}${numbers}  ${ok ? "ok" : "MISSED"}`;
    })
    .join("\n");
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / Math.max(1, values.length);
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0;
}
