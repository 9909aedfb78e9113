import { readValuesComments } from "./values-comments.ts";
import type { DocumentedValue } from "./values-comments.ts";

const BEGIN = "<!-- begin of the values: generated from values.yaml by charts/generate.ts -->";
const END = "<!-- end of the values -->";

/** Puts the documentation of a values file between the two marks of a README. */
export function insertValues(readme: string, valuesYaml: string): string {
  const [begin, end] = [readme.indexOf(BEGIN), readme.indexOf(END)];
  if (begin === -1 || end < begin) {
    throw new Error(`the README has no place for the values: ${BEGIN} … ${END}`);
  }
  return `${readme.slice(0, begin)}${BEGIN}\n\n${describeValues(valuesYaml)}\n${readme.slice(end)}`;
}

function describeValues(valuesYaml: string): string {
  const values = readValuesComments(valuesYaml);
  const groups = values.filter(({ path, value }) => path.length === 1 && value.kind === "group");
  const general = values.filter(({ path, value }) => path.length === 1 && value.kind === "leaf");
  const sections = groups.map((group) => describeGroup(group, values));
  return ["### General\n", ...table(general), "", ...sections.flat()].join("\n");
}

function describeGroup(group: DocumentedValue, values: readonly DocumentedValue[]): string[] {
  const name = group.path.join(".");
  const inside = values.filter(({ path }) => path.length > 1 && path[0] === name);
  return [`### \`${name}\`\n`, `${group.text}\n`, ...table(inside), ""];
}

function table(values: readonly DocumentedValue[]): string[] {
  return ["| Key | Description | Default |", "|---|---|---|", ...values.map(row)];
}

function row({ path, text, value }: DocumentedValue): string {
  const given = value.kind === "group" ? "" : code(JSON.stringify(value.default));
  return `| ${code(path.join("."))} | ${escape(text)} | ${given} |`;
}

function code(text: string): string {
  return `\`${escape(text)}\``;
}

function escape(text: string): string {
  return text.replaceAll("|", String.raw`\|`);
}
