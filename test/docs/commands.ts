import { readFileSync } from "node:fs";

/** A command as it stands in a page, its continued lines joined. */
export interface Documented {
  readonly file: string;
  readonly line: number;
  readonly command: string;
}

/** Whole commands: `kubectl delete backup` only names one, and so does one with something left out. */
const WHOLE = /^(?!.*[…<])(kubectl \S+ \S+ \S+|snapshot-retainer \S+ \S+)/;

/** The commands of a page: the lines of its `sh` blocks, of other blocks what follows a `$`, and whole commands in its text. */
export function commandsOf(file: string): Documented[] {
  const found: Documented[] = [];
  let block: "sh" | "other" | undefined;
  let begun: { line: number; text: string } | undefined;
  for (const [index, raw] of readFileSync(file, "utf8").split("\n").entries()) {
    const text = raw.trim();
    if (text.startsWith("```")) {
      block = block === undefined ? (text === "```sh" ? "sh" : "other") : undefined;
      continue;
    }
    for (const command of commandsIn(text, block)) {
      const joined: { line: number; text: string } =
        begun === undefined
          ? { line: index + 1, text: command }
          : { line: begun.line, text: `${begun.text} ${command}` };
      const goesOn = joined.text.endsWith("\\");
      begun = goesOn ? { ...joined, text: joined.text.slice(0, -1).trim() } : undefined;
      if (!goesOn) found.push({ file, line: joined.line, command: joined.text.replace(/\s+#.*$/, "") });
    }
  }
  return found;
}

function commandsIn(text: string, block: "sh" | "other" | undefined): string[] {
  if (block === undefined) {
    return [...text.matchAll(/`([^`]+)`/g)].map(([, code = ""]) => code).filter((code) => WHOLE.test(code));
  }
  const command = block === "sh" ? text : text.startsWith("$ ") ? text.slice(2) : "";
  return command === "" || command.startsWith("#") ? [] : [command];
}
