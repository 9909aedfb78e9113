import type { ReportedSnapshot } from "../plan/report.ts";
import { markup } from "./html.ts";
import type { Html } from "./html.ts";
import type { Shown } from "./view.ts";

/** From when to when a timeline reaches, in milliseconds since 1970. */
export interface Span {
  readonly from: number;
  readonly to: number;
}

const WIDTH = 1080;
const HEIGHT = 28;
const MIDDLE = HEIGHT / 2;
const EDGE = 8;

/** One span for all volumes that are shown, so that they can be compared. */
export function spanOf(shown: readonly Shown[], now: number): Span {
  const times = shown.flatMap(({ volume, movements }) => [
    ...volume.snapshots.flatMap(({ takenAt }) => (takenAt === undefined ? [] : [Date.parse(takenAt)])),
    ...movements.map(({ at }) => at),
  ]);
  // Never of no length, where all of it happened just now.
  return { from: Math.min(now - 60_000, ...times), to: now };
}

/** A volume's backups as ticks, and its snapshots as marks: full circles stay, squares are pinned, crosses go, rings are on their way. */
export function timeline({ volume, movements, status }: Shown, span: Span): Html {
  const { snapshots } = volume;
  const ticks = movements.map(
    ({ at, backup }) =>
      markup`<line x1="${x(at, span)}" y1="4" x2="${x(at, span)}" y2="${HEIGHT - 4}" class="tick"><title>backup ${backup}</title></line>`,
  );
  const marks = snapshots
    .filter(({ takenAt }) => takenAt !== undefined)
    .map((snapshot) =>
      mark(snapshot, x(Date.parse(snapshot.takenAt ?? ""), span), snapshot.name === status.next),
    );
  const label = `${snapshots.length} snapshots, ${status.retained} retained, ${status.pins} pinned; next to go: ${status.next ?? "none"}`;
  return markup`<svg
    viewBox="0 0 ${WIDTH} ${HEIGHT}"
    role="img"
    aria-label="${label}"
   
  >
    <line x1="0" y1="${MIDDLE}" x2="${WIDTH}" y2="${MIDDLE}" class="axis" />
    ${ticks}${marks}
  </svg>`;
}

function x(at: number, { from, to }: Span): string {
  const part = (at - from) / (to - from);
  return (EDGE + Math.min(1, Math.max(0, part)) * (WIDTH - 2 * EDGE)).toFixed(1);
}

function mark(snapshot: ReportedSnapshot, at: string, isNext: boolean): Html {
  const { name, backup, takenAt = "", state, message } = snapshot;
  const title = markup`<title>${name} of ${backup}, taken ${takenAt}: ${state}, ${message}</title>`;
  const kind = kindOf(snapshot);
  const next = isNext ? " next" : "";
  if (kind === "pinned") {
    const left = (Number(at) - 5).toFixed(1);
    return markup`<rect x="${left}" y="${MIDDLE - 5}" width="10" height="10" class="pinned">${title}</rect>`;
  }
  if (kind === "going") {
    const [left, right] = [(Number(at) - 5).toFixed(1), (Number(at) + 5).toFixed(1)];
    return markup`<path
      d="M${left} ${MIDDLE - 5}L${right} ${MIDDLE + 5}M${left} ${MIDDLE + 5}L${right} ${MIDDLE - 5}"
      class="going"
      >${title}</path
    >`;
  }
  return markup`<circle cx="${at}" cy="${MIDDLE}" r="5" class="${kind}${next}">${title}</circle>`;
}

/** How a snapshot is drawn. */
export function kindOf({
  decision,
  pinned,
  state,
}: ReportedSnapshot): "pinned" | "going" | "kept" | "flight" {
  if (pinned) return "pinned";
  if (decision !== "kept") return "going";
  return state === "retained" ? "kept" : "flight";
}
