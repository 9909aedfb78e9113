import { styleText } from "node:util";
import type { Finding } from "./finding.ts";

const MARKS = { ok: "✔", warning: "!", failed: "✘", skipped: "-" } as const;
const STYLES = { ok: "green", warning: "yellow", failed: "red", skipped: "dim" } as const;
const WIDTH = 14;

/** One finding for people: a line, and one with what to do. */
export function renderFinding({ check, status, message, fix }: Finding, color: boolean): string {
  const mark = paint(STYLES[status], MARKS[status], color);
  const advice = fix === undefined ? "" : `\n${" ".repeat(WIDTH + 2)}${paint("dim", "→", color)} ${fix}`;
  return `${mark} ${check.padEnd(WIDTH)}${message}${advice}\n`;
}

/** The last line for people. */
export function renderSummary(findings: readonly Finding[], color: boolean): string {
  const { failed = [], warning = [] } = Object.groupBy(findings, ({ status }) => status);
  const worst = failed.length > 0 ? "failed" : warning.length > 0 ? "warning" : "ok";
  const text =
    worst === "ok"
      ? "all is well"
      : `${failed.length} failed, ${warning.length} to look at; the first that failed is mostly the cause of others`;
  return `\n${paint(STYLES[worst], text, color)}\n`;
}

function paint(style: "green" | "yellow" | "red" | "dim", text: string, color: boolean): string {
  return color ? styleText(style, text, { validateStream: false }) : text;
}
