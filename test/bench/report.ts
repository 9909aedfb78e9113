import { readFile, writeFile } from "node:fs/promises";
import { formatDocument, hasPlace, replacePlace } from "../docs/places.ts";
import { print } from "./figures.ts";

/** What the benchmark finds: printed as it comes, and written into the page that quotes it. */
export interface Report {
  /** A table, its first row the heads of its columns, for a place in the page. */
  table(place: string, title: string, rows: readonly Row[]): Promise<void>;
  /** Lines of running text for a place in the page. */
  lines(place: string, lines: readonly string[]): void;
  /**
   * Replaces what stands in the pages' places (`test/docs/places.ts`) by what was found for them; one for which nothing was found
   * stays as it is. Throws where something was found for which no page has a place.
   */
  writeInto(pages: readonly string[]): Promise<void>;
}

const PROGRAM = "npm run bench";

/** The cells of a row. */
type Row = readonly string[];

/** Starts with nothing found. */
export function createReport(): Report {
  const found = new Map<string, string>();
  return {
    async table(place, title, rows) {
      const table = await formatDocument(markdown(rows), "table.md");
      found.set(place, table.trim());
      print(`\n${title}\n\n${table.trimEnd()}`);
    },
    lines(place, lines) {
      found.set(place, lines.map((line) => `- ${line}`).join("\n"));
      print(`\n${lines.join("\n")}`);
    },
    async writeInto(pages) {
      const homeless = new Set(found.keys());
      for (const page of pages) {
        let text = await readFile(page, "utf8");
        for (const [name, content] of found) {
          const place = { name, program: PROGRAM };
          if (!hasPlace(text, place)) continue;
          text = replacePlace(text, place, content);
          homeless.delete(name);
        }
        await writeFile(page, await formatDocument(text, page));
        print(`written: the tables of ${page}`);
      }
      if (homeless.size > 0) throw new Error(`no page has a place for ${[...homeless].join(", ")}`);
    },
  };
}

/** All columns but the first hold figures, which stand below each other when they end at the same place. */
function markdown([heads = [], ...rows]: readonly Row[]): string {
  const rule = heads.map((head, index) => (index === 0 || head === MEASURED ? "---" : "---:"));
  return [heads, rule, ...rows].map((cells) => `| ${cells.join(" | ")} |`).join("\n");
}

/** The head of the column that says in words what a target came to. */
export const MEASURED = "Measured";
