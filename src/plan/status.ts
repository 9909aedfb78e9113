import { formatDuration } from "../policy/duration.ts";
import { UNBOUNDED } from "../policy/generous.ts";
import { columns } from "./columns.ts";
import type { Report, ReportedSnapshot, ReportedVolume } from "./report.ts";

/** One volume in short: what `snapshot-retainer status` shows of it. */
export interface VolumeStatus {
  /** `namespace/name` of the PVC. */
  readonly volume: string;
  readonly retained: number;
  /** The most snapshots that it may have; null where none is known. */
  readonly limit: number | null;
  /** Where the limit comes from. */
  readonly limitReason: string;
  /** When its oldest and newest retained snapshots were taken (RFC 3339). */
  readonly oldest: string | undefined;
  readonly newest: string | undefined;
  /** The snapshot that goes next. */
  readonly next: string | undefined;
  /** When that goes, and why. */
  readonly nextReason: string;
  readonly pins: number;
  /** Being taken or copied. */
  readonly inFlight: number;
  readonly driver: string | undefined;
}

/** The status of all volumes of a report, or of those that `wanted` lets through. */
export function statusOf(
  { volumes }: Pick<Report, "volumes">,
  wanted: (volume: string) => boolean = () => true,
): VolumeStatus[] {
  return volumes.filter(({ volume }) => wanted(volume)).map(volumeStatus);
}

function volumeStatus(volume: ReportedVolume): VolumeStatus {
  const retained = volume.snapshots.filter(
    ({ state, decision }) => state === "retained" && decision === "kept",
  );
  const times = retained.flatMap(({ takenAt }) => (takenAt === undefined ? [] : [takenAt])).toSorted();
  const { limit, limitReason } = limitOf(volume);
  return {
    volume: volume.volume,
    retained: retained.length,
    limit,
    limitReason,
    oldest: times[0],
    newest: times.at(-1),
    ...nextOf(volume, retained, limit),
    pins: volume.pinned,
    inFlight: volume.snapshots.filter(({ state }) => state === "taking" || state === "copying").length,
    driver: volume.snapshots.find(({ driver }) => driver !== undefined)?.driver,
  };
}

/** The smaller half of a volume's limit. */
export function limitOf(
  volume: Pick<ReportedVolume, "number" | "numberReason" | "ceiling" | "ceilingReason">,
): Pick<VolumeStatus, "limit" | "limitReason"> {
  const { number, numberReason, ceiling, ceilingReason = "" } = volume;
  if (ceiling !== undefined && ceiling < number) {
    return { limit: ceiling, limitReason: withoutNumber(ceilingReason) };
  }
  return { limit: number === UNBOUNDED ? null : number, limitReason: withoutNumber(numberReason) };
}

/** `3: the policy's snapshotsToRetain` says its number, which has a column of its own. */
function withoutNumber(reason: string): string {
  return reason.replace(/^\d+: /, "");
}

/** What goes next: what is going, else the oldest that the limits may take, when its place is needed. `snapshots`: newest first. */
function nextOf(
  { snapshots }: ReportedVolume,
  retained: readonly ReportedSnapshot[],
  limit: number | null,
): Pick<VolumeStatus, "next" | "nextReason"> {
  const leaving = snapshots.findLast(({ decision }) => decision === "going" || decision === "held");
  if (leaving !== undefined) {
    return {
      next: leaving.name,
      nextReason: `${leaving.decision === "going" ? "now" : "held"}: ${leaving.message}`,
    };
  }
  const movable = retained.findLast(({ reason }) => reason === "within_number" || reason === "last_good");
  const free = limit === null ? Infinity : limit - snapshots.length;
  if (movable === undefined || free === Infinity) {
    return { next: undefined, nextReason: retained.length === 0 ? "nothing is retained" : "none may go" };
  }
  return free > 0
    ? { next: movable.name, nextReason: `after ${free} more` }
    : { next: movable.name, nextReason: "when the next snapshot is taken" };
}

/** The status as a table; `wide` has every column. `now` in milliseconds since 1970. */
export function renderStatus(rows: readonly VolumeStatus[], now: number, wide: boolean): string {
  if (rows.length === 0) {
    return "no volume has a snapshot of ours\n";
  }
  const heading = ["VOLUME", "RETAINED", "LIMIT", "OLDEST", "NEWEST", "PINS", "NEXT TO GO", "WHEN"];
  const more = ["IN FLIGHT", "DRIVER", "LIMIT FROM"];
  const table = rows.map((row) => [
    row.volume,
    String(row.retained),
    row.limit === null ? "-" : String(row.limit),
    ageOf(row.oldest, now),
    ageOf(row.newest, now),
    String(row.pins),
    row.next ?? "-",
    row.nextReason,
    ...(wide ? [String(row.inFlight), row.driver ?? "-", row.limitReason] : []),
  ]);
  const lines = columns([wide ? [...heading, ...more] : heading, ...table]);
  return `${lines.map((line) => line.trimEnd()).join("\n")}\n`;
}

function ageOf(time: string | undefined, now: number): string {
  return time === undefined ? "-" : formatDuration(now - Date.parse(time));
}
