/** Milliseconds since 1970 of an RFC 3339 text; undefined for none and for what is no time. */
export function timeOf(text: string | null | undefined): number | undefined {
  const ms = Date.parse(text ?? "");
  return Number.isNaN(ms) ? undefined : ms;
}

/** RFC 3339 of milliseconds since 1970, to the second; empty for what no calendar holds. */
export function formatTime(ms: number): string {
  return Math.abs(ms) <= 8.64e15 ? new Date(ms).toISOString().replace(/\.\d+Z$/, "Z") : "";
}

/** The periods that buckets count. */
export const PERIODS = ["hourly", "daily", "weekly", "monthly"] as const;
export type Period = (typeof PERIODS)[number];

const HOUR = 60 * 60 * 1000;
const DAY = 24 * HOUR;

/** The number of the period (UTC) that a time falls into: equal for two times in the same one, larger for a later one. */
export function periodOf(ms: number, period: Period): number {
  switch (period) {
    case "hourly":
      return Math.floor(ms / HOUR);
    case "daily":
      return Math.floor(ms / DAY);
    case "weekly":
      // ISO weeks begin on a Monday; 1970 began on a Thursday.
      return Math.floor((Math.floor(ms / DAY) + 3) / 7);
    case "monthly": {
      const date = new Date(ms);
      return date.getUTCFullYear() * 12 + date.getUTCMonth();
    }
  }
}
