import type { Report, ReportedVolume } from "../plan/report.ts";
import { statusOf } from "../plan/status.ts";
import type { VolumeStatus } from "../plan/status.ts";

/** What the page shows: a report, and what is known beside it. */
export interface PageView {
  readonly report: Report;
  /** Milliseconds since 1970. */
  readonly now: number;
  /** Whether this replica leads; the page is the same on all. */
  readonly leads: boolean;
  /** When each volume's data was moved, by `namespace/name` of its claim. */
  readonly movements: ReadonlyMap<string, readonly Movement[]>;
}

/** One backup of a volume. */
export interface Movement {
  readonly backup: string;
  /** Milliseconds since 1970. */
  readonly at: number;
  readonly phase: string;
}

/** What to show of it: the query of the page's address. */
export interface Filters {
  /** Empty: all. */
  readonly namespace: string;
  readonly driver: string;
  readonly text: string;
  readonly problems: boolean;
  /** From 1. */
  readonly page: number;
}

/** The filters of a query; what makes no sense is as if it were not there. */
export function parseFilters(query: URLSearchParams): Filters {
  const page = Number(query.get("page") ?? "1");
  return {
    namespace: query.get("namespace") ?? "",
    driver: query.get("driver") ?? "",
    text: query.get("text") ?? "",
    problems: query.has("problems"),
    page: Number.isInteger(page) && page > 0 ? page : 1,
  };
}

/** A volume as the page shows it. */
export interface Shown {
  readonly volume: ReportedVolume;
  readonly status: VolumeStatus;
  readonly problems: readonly string[];
  readonly movements: readonly Movement[];
}

/** Volumes on a page: a browser draws so many at once without being felt. */
export const PAGE_SIZE = 100;

/** The volumes that the filters let through, those of this page, and how many pages there are. */
export function select(
  { report, movements }: PageView,
  filters: Filters,
): { readonly found: number; readonly pages: number; readonly shown: readonly Shown[] } {
  const statuses = new Map(statusOf(report).map((status) => [status.volume, status]));
  const all = report.volumes.flatMap((volume): Shown[] => {
    const status = statuses.get(volume.volume);
    const problems = problemsOf(volume, report);
    return status === undefined
      ? []
      : [{ volume, status, problems, movements: movements.get(volume.volume) ?? [] }];
  });
  const found = all.filter((one) => matches(one, filters));
  const pages = Math.max(1, Math.ceil(found.length / PAGE_SIZE));
  const first = (Math.min(filters.page, pages) - 1) * PAGE_SIZE;
  return { found: found.length, pages, shown: found.slice(first, first + PAGE_SIZE) };
}

function matches({ volume, status, problems }: Shown, filters: Filters): boolean {
  return (
    (filters.namespace === "" || volume.volume.startsWith(`${filters.namespace}/`)) &&
    (filters.driver === "" || status.driver === filters.driver) &&
    (filters.text === "" || volume.volume.includes(filters.text)) &&
    (!filters.problems || problems.length > 0)
  );
}

/** What somebody should look at: what was noticed of it, what is held, and what is not ready. */
function problemsOf({ volumeName, snapshots }: ReportedVolume, { notices }: Report): string[] {
  const names = [volumeName, ...snapshots.map(({ name }) => name)];
  const noticed = notices.filter(({ message }) => names.some((name) => message.includes(name)));
  return [
    ...noticed.map(({ reason, message }) => `${reason}: ${message}`),
    ...snapshots
      .filter(({ decision }) => decision === "held")
      .map(({ name, message }) => `${name}: ${message}`),
    ...snapshots
      .filter(({ state, ready }) => state === "retained" && !ready)
      .map(({ name }) => `${name}: not ready`),
  ];
}

/** All namespaces and drivers, for the choices of the form. */
export function choicesOf({ report }: PageView): {
  readonly namespaces: string[];
  readonly drivers: string[];
} {
  const namespaces = report.volumes.map(({ volume }) => volume.replace(/\/.*/, ""));
  const drivers = report.volumes.flatMap(({ snapshots }) => snapshots.map(({ driver }) => driver ?? ""));
  return {
    namespaces: [...new Set(namespaces)].toSorted(),
    drivers: [...new Set(drivers)].filter((driver) => driver !== "").toSorted(),
  };
}
