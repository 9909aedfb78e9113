import { isMap, isNode, LineCounter, parseDocument, visit } from "yaml";
import type { Document } from "yaml";
import type * as z from "zod";
import { RetentionPolicy } from "./schema.ts";

/** One thing wrong with a policy document: where (line and column from 1, path in the document) and what. */
export interface PolicyProblem {
  readonly line: number;
  readonly column: number;
  readonly path: string;
  readonly message: string;
}

/** A policy, or everything that is wrong with the document. */
export type ParsedPolicy =
  | { readonly kind: "policy"; readonly policy: RetentionPolicy }
  | { readonly kind: "invalid"; readonly problems: readonly PolicyProblem[] };

/**
 * Reads a policy document. Never throws: each problem of the text comes back with its line, so that an
 * editor of the ConfigMap can go straight to it.
 */
export function parsePolicy(text: string): ParsedPolicy {
  const lines = new LineCounter();
  const document = parseDocument(text, {
    lineCounter: lines,
    uniqueKeys: true,
    prettyErrors: false,
    logLevel: "error",
  });
  const unreadable = document.errors.length > 0 ? syntaxErrors(document, lines) : aliases(document, lines);
  if (unreadable.length > 0) {
    return invalid(unreadable);
  }
  const value = toPlain(document);
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    const message = `must be a RetentionPolicy document, found ${shown(value)}`;
    return invalid([{ line: 1, column: 1, path: "", message }]);
  }
  const result = RetentionPolicy.safeParse(value);
  if (!result.success) {
    return invalid(result.error.issues.flatMap((issue) => problemsOf(issue, document, lines, value)));
  }
  const problems = [...duplicateNames(result.data, document, lines), ...ages(result.data, document, lines)];
  return problems.length > 0 ? invalid(problems) : { kind: "policy", policy: result.data };
}

/** One sentence for a problem: `line 7: rules[0].when.driver: unknown field`. */
export function formatProblem(problem: PolicyProblem): string {
  const path = problem.path === "" ? "" : `${problem.path}: `;
  return `line ${problem.line}: ${path}${problem.message}`;
}

function invalid(problems: readonly PolicyProblem[]): ParsedPolicy {
  return { kind: "invalid", problems: problems.toSorted((a, b) => a.line - b.line || a.column - b.column) };
}

function syntaxErrors(document: Document.Parsed, lines: LineCounter): PolicyProblem[] {
  return document.errors.map((error) => ({
    ...position(lines, error.pos[0]),
    path: "",
    message: `is not valid YAML: ${error.message}`,
  }));
}

/** A policy needs no aliases, and expanding them is how a small document grows huge. */
function aliases(document: Document.Parsed, lines: LineCounter): PolicyProblem[] {
  const problems: PolicyProblem[] = [];
  visit(document, {
    Alias(_key, { source, range }) {
      const message = `the alias *${source.slice(0, 40)} is not allowed: write the value out`;
      problems.push({ ...position(lines, range?.[0] ?? 0), path: "", message });
    },
  });
  return problems;
}

// maxAliasCount 0: aliases were refused already, so this holds for what is left too.
function toPlain(document: Document.Parsed): unknown {
  try {
    const value: unknown = document.toJS({ maxAliasCount: 0 });
    return value;
  } catch {
    return undefined;
  }
}

function position(lines: LineCounter, offset: number): { line: number; column: number } {
  const { line, col } = lines.linePos(offset);
  return { line: Math.max(line, 1), column: Math.max(col, 1) };
}

function problemsOf(
  issue: z.core.$ZodIssue,
  document: Document.Parsed,
  lines: LineCounter,
  value: unknown,
): PolicyProblem[] {
  const path = issue.path.filter((part) => typeof part !== "symbol");
  if (issue.code === "unrecognized_keys") {
    return issue.keys.map((key) => ({
      ...locate([...path, key], document, lines),
      path: formatPath([...path, key]),
      message: "unknown field",
    }));
  }
  const found = valueAt(value, path);
  const message = found === undefined ? "is required" : `${issue.message}, found ${shown(found)}`;
  return [{ ...locate(path, document, lines), path: formatPath(path), message }];
}

/** The place of a path's key, or of its nearest parent that exists in the text. */
function locate(
  path: readonly (string | number)[],
  document: Document.Parsed,
  lines: LineCounter,
): { line: number; column: number } {
  for (let length = path.length; length > 0; length -= 1) {
    const offset = offsetOf(path.slice(0, length), document);
    if (offset !== undefined) {
      return position(lines, offset);
    }
  }
  return { line: 1, column: 1 };
}

function offsetOf(path: readonly (string | number)[], document: Document.Parsed): number | undefined {
  const parent: unknown = path.length === 1 ? document.contents : document.getIn(path.slice(0, -1), true);
  if (isMap(parent)) {
    const pair = parent.items.find((item) => String(item.key) === String(path.at(-1)));
    return isNode(pair?.key) ? pair.key.range?.[0] : undefined;
  }
  const node: unknown = document.getIn(path, true);
  return isNode(node) ? node.range?.[0] : undefined;
}

function valueAt(value: unknown, path: readonly (string | number)[]): unknown {
  return path.reduce<unknown>((at, key) => {
    return typeof at === "object" && at !== null
      ? Object.entries(at).find(([k]) => k === String(key))?.[1]
      : undefined;
  }, value);
}

function formatPath(path: readonly (string | number)[]): string {
  return path.reduce<string>((text, part) => {
    if (typeof part === "number") {
      return `${text}[${part}]`;
    }
    return text === "" ? part : `${text}.${part}`;
  }, "");
}

function shown(value: unknown): string {
  const text = value === undefined ? "nothing" : JSON.stringify(value);
  return text.length > 60 ? `${text.slice(0, 57)}...` : text;
}

function duplicateNames(
  policy: RetentionPolicy,
  document: Document.Parsed,
  lines: LineCounter,
): PolicyProblem[] {
  const lists = [
    ["rules", policy.rules],
    ["snapshotAssociatedObjects", policy.snapshotAssociatedObjects],
  ] as const;
  return lists.flatMap(([key, entries]) =>
    entries.flatMap((entry, index) => {
      const first = entries.findIndex((other) => other.name === entry.name);
      if (first === index) {
        return [];
      }
      const path = [key, index, "name"];
      const message = `"${entry.name}" is already the name of ${key}[${first}]; names must differ`;
      return [{ ...locate(path, document, lines), path: formatPath(path), message }];
    }),
  );
}

function ages(
  { minAge, maxAge }: RetentionPolicy,
  document: Document.Parsed,
  lines: LineCounter,
): PolicyProblem[] {
  if (minAge === undefined || maxAge === undefined || minAge <= maxAge) {
    return [];
  }
  const message = "must not be more than maxAge: nothing is both kept for that long and gone before";
  return [{ ...locate(["minAge"], document, lines), path: "minAge", message }];
}
