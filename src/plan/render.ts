import { styleText } from "node:util";
import { stringify } from "yaml";
import { columns } from "./columns.ts";
import { formatDuration } from "../policy/duration.ts";
import type { Report, ReportedSnapshot, ReportedVolume } from "./report.ts";

/** Formats of `-o`. */
export const FORMATS = ["table", "json", "yaml"] as const;
export type Format = (typeof FORMATS)[number];

/** The whole report, ready to print. `color` only matters for a table. */
export function render(report: Report, format: Format, color: boolean): string {
  switch (format) {
    case "table":
      return renderTable(report, color);
    case "json":
      return `${JSON.stringify(report, null, 2)}\n`;
    case "yaml":
      // Once through JSON: YAML would write out what is undefined.
      return stringify(JSON.parse(JSON.stringify(report)), { lineWidth: 0 });
  }
}

type Paint = (style: "bold" | "dim" | "green" | "red" | "yellow", text: string) => string;

function renderTable(report: Report, color: boolean): string {
  const paint = painter(color);
  const parts = [
    ...report.volumes.map((volume) => renderVolume(volume, paint)),
    ...(report.notices.length > 0 ? [renderNotices(report, paint)] : []),
    renderSummary(report, paint),
  ];
  return `${parts.join("\n\n")}\n`;
}

function painter(color: boolean): Paint {
  return (style, text) => (color ? styleText(style, text, { validateStream: false }) : text);
}

function renderVolume(volume: ReportedVolume, paint: Paint): string {
  const limits = [`number ${volume.numberReason}`];
  if (volume.ceiling !== undefined && volume.ceiling < volume.number) {
    limits.push(`ceiling ${volume.ceilingReason ?? ""}`);
  }
  return [
    `${paint("bold", volume.volume)}  ${limits.join("; ")}`,
    ...columns([HEADING, ...volume.snapshots.map(rowOf)]).map((line, index) =>
      paintRow(line, volume.snapshots[index - 1], paint),
    ),
  ].join("\n");
}

const HEADING = ["SNAPSHOT", "BACKUP", "AGE", "STATE", "PLAN", "WHY"];

function rowOf(snapshot: ReportedSnapshot): string[] {
  const { name, backup, ageSeconds, state, ready, pinned, decision, message, verified } = snapshot;
  const marks = [
    ...(state === "retained" && !ready ? ["not ready"] : []),
    ...(pinned ? ["pinned"] : []),
    ...(verified ? [] : ["not verified"]),
  ];
  return [
    name,
    backup === "" ? "-" : backup,
    ageSeconds === undefined ? "-" : formatDuration(ageSeconds * 1000),
    [state, ...marks].join(", "),
    decision,
    message,
  ];
}

function paintRow(line: string, snapshot: ReportedSnapshot | undefined, paint: Paint): string {
  const indented = `  ${line}`;
  switch (snapshot?.decision) {
    case undefined:
      return paint("dim", indented);
    case "kept":
      return indented;
    case "going":
      return paint("red", indented);
    case "held":
      return paint("yellow", indented);
  }
}

function renderNotices({ notices }: Report, paint: Paint): string {
  return notices.map(({ reason, message }) => `${paint("yellow", `${reason}:`)} ${message}`).join("\n");
}

function renderSummary(report: Report, paint: Paint): string {
  const all = report.volumes.flatMap(({ snapshots }) => snapshots);
  const { kept = [], going = [], held = [] } = Object.groupBy(all, ({ decision }) => decision);
  const waiting = held.length > 0 ? `, ${held.length} should go and are held` : "";
  return [
    paint(
      "bold",
      `${count(all.length, "snapshot")} of ${count(report.volumes.length, "volume")}: ${kept.length} stay, ${going.length} go${waiting}`,
    ),
    `policy: ${report.policy}, mode ${report.mode}, at ${report.now}`,
    ...(all.every(({ verified }) => verified) ? [] : [NOT_CHECKED]),
    "nothing was changed",
  ].join("\n");
}

const NOT_CHECKED =
  'signatures were not checked, for want of the key: what says "not verified" is believed as it stands';

function count(number: number, noun: string): string {
  return `${number} ${noun}${number === 1 ? "" : "s"}`;
}
