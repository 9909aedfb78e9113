import * as z from "zod";

const UNITS: Readonly<Record<string, number>> = {
  ms: 1,
  s: 1000,
  m: 60 * 1000,
  h: 60 * 60 * 1000,
  d: 24 * 60 * 60 * 1000,
};

const PART = /(\d+(?:\.\d+)?)(ms|s|m|h|d)/g;

/** A duration as Go and Velero write it, and days: `5s`, `1m30s`, `72h`, `14d`; milliseconds once parsed. */
export const Duration = z
  .string()
  .max(40)
  .regex(/^(\d+(\.\d+)?(ms|s|m|h|d))+$/, 'is not a duration such as "5s", "1m30s", "72h" or "14d"')
  .transform(millisecondsOf);

/** The milliseconds of a duration's text; of parts that are not durations, none. */
export function millisecondsOf(text: string): number {
  return [...text.matchAll(PART)].reduce(
    (sum, [, count, unit]) => sum + Number(count) * (UNITS[unit ?? ""] ?? 0),
    0,
  );
}

/** A span of time in words of at most two units: `3 d 4 h`, `12 min`, `5 s`. Never negative. */
export function formatDuration(ms: number): string {
  const seconds = Math.max(0, Math.floor(ms / 1000));
  const parts: [number, string][] = [
    [Math.floor(seconds / 86_400), "d"],
    [Math.floor(seconds / 3600) % 24, "h"],
    [Math.floor(seconds / 60) % 60, "min"],
    [seconds % 60, "s"],
  ];
  const first = parts.findIndex(([count]) => count > 0);
  if (first === -1) return "0 s";
  return parts
    .slice(first, first + 2)
    .filter(([count]) => count > 0)
    .map(([count, unit]) => `${count} ${unit}`)
    .join(" ");
}
