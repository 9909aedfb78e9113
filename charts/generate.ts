import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { format } from "prettier";
import { dashboard } from "./dashboard.ts";
import { createJsonSchema } from "./values-json-schema.ts";
import { insertValues } from "./values-table.ts";

/** What is generated from values.yaml, and the dashboard, by file name. */
export async function generate(chart: string): Promise<ReadonlyMap<string, string>> {
  const values = await readFile(join(chart, "values.yaml"), "utf8");
  const readme = await readFile(join(chart, "README.md"), "utf8");
  const schema = JSON.stringify(createJsonSchema(values));
  return new Map([
    ["README.md", insertValues(readme, values)],
    ["files/dashboard.json", await format(JSON.stringify(dashboard()), { parser: "json", printWidth: 110 })],
    ["values.schema.json", await format(schema, { parser: "json", printWidth: 110, objectWrap: "collapse" })],
  ]);
}

/** Writes what is generated from values.yaml beside it. */
async function main(): Promise<void> {
  const chart = join(import.meta.dirname, "snapshot-retainer");
  for (const [name, text] of await generate(chart)) {
    await writeFile(join(chart, name), text);
  }
}

if (import.meta.main) {
  await main();
}
