import { styleText } from "node:util";
import type { Change } from "./change.ts";

/** Where the demo is shown: a terminal with colours, or anything that takes plain text. */
export interface ScreenOutput {
  readonly columns?: number;
  hasColors?(): boolean;
  write(text: string): unknown;
}

/** Shows one kind of thing in one way. */
export interface Screen {
  readonly hasColors: boolean;
  title(text: string): void;
  /** Prose, each line folded to the width. */
  say(text: string): void;
  /** What the change just shown means, in one sentence. */
  conclude(text: string): void;
  command(text: string): void;
  /** What a command printed; its warnings and errors stand out. */
  output(text: string): void;
  /** What was sent against what is stored. */
  changes(heading: string, changes: readonly Change[]): void;
  /** A line of a report that has its colours already; folded unless it is one of a diff, indented by four. */
  report(line: string): void;
  /** Text that is already as it should be. */
  print(text: string): void;
}

/** Makes a screen; on a terminal that has colours it uses them, unless NO_COLOR is set. */
export function createScreen(output: ScreenOutput): Screen {
  const hasColors = output.hasColors?.() ?? false;
  const width = Math.min(output.columns ?? WIDEST, WIDEST);
  function paint(style: Style, text: string): string {
    return hasColors ? styleText(style, text, { validateStream: false }) : text;
  }
  function lines(style: Style | undefined, texts: readonly string[]): void {
    for (const text of texts) output.write(`${style === undefined ? text : paint(style, text)}\n`);
  }
  function changes(heading: string, shown: readonly Change[]): void {
    lines("bold", ["", `${INDENT}${heading}`]);
    for (const { mark, text } of shown) lines(STYLES[mark], [cut(`${INDENT}${mark} ${text}`, width)]);
  }
  return {
    hasColors,
    title: (text) => lines(TITLE, ["", "", fold(text, width, "").join("\n")]),
    say: (text) =>
      lines(
        undefined,
        text.split("\n").flatMap((line) => fold(line, width, hang(line))),
      ),
    conclude: (text) => lines("bold", ["", ...fold(`=> ${text}`, width, "   ")]),
    command: (text) => lines("cyan", ["", ...fold(`$ ${text}`, width, "    ", INDENT)]),
    output: (text) => {
      for (const line of text.trimEnd().split("\n").filter(Boolean))
        lines(styleOfOutput(line), fold(line, width, INDENT, INDENT));
    },
    changes,
    report: (line) => lines(undefined, line.startsWith("    ") ? [line] : fold(line, width, "    ")),
    print: (text) => void output.write(text),
  };
}

type Style = Parameters<typeof styleText>[0];

const TITLE: Style = ["bold", "magenta"];
const STYLES: Record<Change["mark"], Style> = { "+": "green", "-": "red", " ": "dim" };
const INDENT = "  ";

// Longer lines are hard to read, and a wider terminal does not make them easier.
const WIDEST = 110;

function styleOfOutput(line: string): Style | undefined {
  if (line.startsWith("Warning:")) return "yellow";
  return line.startsWith("Error") || line.startsWith("error") ? "red" : undefined;
}

/** Folds at spaces; a word that is longer than a line stays whole, so that it can be copied. */
function fold(text: string, width: number, indent: string, first = ""): string[] {
  const [margin = ""] = /^ */.exec(text) ?? [];
  const [start = "", ...words] = text.trim().split(" ");
  const folded: string[] = [];
  let line = `${first}${margin}${start}`;
  for (const word of words) {
    if (line.length + 1 + word.length > width) {
      folded.push(line);
      line = `${indent}${word}`;
    } else {
      line = `${line} ${word}`;
    }
  }
  return [...folded, line];
}

/** The indentation under which a folded line goes on: its own, and beside the dash of a list. */
function hang(line: string): string {
  const [start = ""] = /^ *(- )?/.exec(line) ?? [];
  return " ".repeat(start.length);
}

/** Cuts what does not fit, and says so by an ellipsis. */
function cut(line: string, width: number): string {
  return line.length <= width ? line : `${line.slice(0, width - 1)}…`;
}
