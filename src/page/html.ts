/** Text that is safe to stand in a page as it is. */
export interface Html {
  readonly text: string;
}

type Part = string | number | Html | readonly Html[] | undefined;

/** A template whose values are escaped, but for those that are templates themselves. Attributes have to be in double quotes. */
export function markup(strings: TemplateStringsArray, ...values: readonly Part[]): Html {
  return { text: strings.map((text, index) => text + textOf(values[index])).join("") };
}

function textOf(value: Part): string {
  if (value === undefined) return "";
  if (typeof value === "string" || typeof value === "number") return escape(String(value));
  return "text" in value ? value.text : value.map(({ text }) => text).join("");
}

const ENTITIES: Readonly<Record<string, string>> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
  "'": "&#39;",
};

function escape(text: string): string {
  return text.replaceAll(/[&<>"']/g, (character) => ENTITIES[character] ?? "");
}
