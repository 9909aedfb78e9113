import { styleText } from "node:util";
import { structuredPatch } from "diff";
import { stringify } from "yaml";
import type { KubernetesObject } from "./documents.ts";
import type { Reviewed } from "./review.ts";

/** Formats of `-o`. */
export const FORMATS = ["diff", "yaml", "json"] as const;
export type Format = (typeof FORMATS)[number];

/** The whole report, ready to print. `color` only matters for a diff. */
export function render(reviewed: readonly Reviewed[], format: Format, color: boolean): string {
  switch (format) {
    case "diff":
      return (
        reviewed
          .filter(isActedOn)
          .map((one) => renderDiff(one, color))
          .join("\n") + renderSummary(reviewed)
      );
    case "yaml":
      return reviewed
        .map((one) => `# ${headline(one)}\n${stringify(one.after, { lineWidth: 0 })}`)
        .join("---\n");
    case "json":
      return `${JSON.stringify(reviewed.map(asJson), null, 2)}\n`;
  }
}

/** Objects that no rule handles are context: they are known to the others and not worth a paragraph. */
function isActedOn({ verdict }: Reviewed): boolean {
  return verdict.outcome.code !== "not_handled";
}

function renderDiff(one: Reviewed, color: boolean): string {
  const paint = painter(color);
  const lines = [paint("bold", headline(one)), `  ${one.meaning}${reasonOf(one)}`];
  for (const warning of one.verdict.outcome.warnings ?? []) {
    lines.push(paint("yellow", `  Warning: ${warning}`));
  }
  lines.push(...diffLines(one.before, one.after).map((line) => `    ${paintDiffLine(shorten(line), paint)}`));
  return `${lines.join("\n")}\n`;
}

function headline({ operation, username, verdict, before }: Reviewed): string {
  const { namespace, name, generateName } = before.metadata;
  const named = name ?? `${generateName ?? ""}…`;
  const code = verdict.audited ? `audit: ${verdict.outcome.code}` : verdict.outcome.code;
  return `${operation} ${before.kind} ${namespace === undefined ? "" : `${namespace}/`}${named} by ${username}: ${code}`;
}

function reasonOf({ verdict }: Reviewed): string {
  const reason = verdict.outcome.audit?.["reason"];
  return reason === undefined ? "" : ` (${reason})`;
}

function diffLines(before: KubernetesObject, after: KubernetesObject): string[] {
  const options = { lineWidth: 0, sortMapEntries: true };
  const patch = structuredPatch("", "", stringify(before, options), stringify(after, options), "", "", {
    context: 2,
  });
  return patch.hunks.flatMap((hunk, index) => [...(index === 0 ? [] : ["..."]), ...hunk.lines]);
}

/** Signed documents are long and not for people; `-o yaml` has them whole. */
function shorten(line: string): string {
  return line.length <= WIDTH ? line : `${line.slice(0, WIDTH - 1)}…`;
}

const WIDTH = 116;

function renderSummary(reviewed: readonly Reviewed[]): string {
  const acted = reviewed.filter(isActedOn);
  const changed = acted.filter(({ verdict, before, after }) => verdict.patch.length > 0 && before !== after);
  return `\n${acted.length} reviewed, ${changed.length} changed, ${acted.length - changed.length} left as they are\n`;
}

function asJson({ manifest, operation, username, verdict, meaning, after }: Reviewed): object {
  const { code, warnings = [], audit = {} } = verdict.outcome;
  return {
    file: manifest.file,
    document: manifest.document,
    operation,
    username,
    code,
    meaning,
    audited: verdict.audited,
    warnings,
    auditAnnotations: audit,
    patch: verdict.patch,
    object: after,
  };
}

type Paint = (style: "bold" | "yellow" | "green" | "red" | "dim", text: string) => string;

function painter(color: boolean): Paint {
  return (style, text) => (color ? styleText(style, text, { validateStream: false }) : text);
}

function paintDiffLine(line: string, paint: Paint): string {
  if (line.startsWith("+")) {
    return paint("green", line);
  }
  return line.startsWith("-") ? paint("red", line) : paint("dim", line);
}
