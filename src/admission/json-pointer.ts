/** A key as a part of a JSON Pointer (RFC 6901). */
export function escapePointer(key: string): string {
  const text = key.includes("~") ? key.replaceAll("~", "~0") : key;
  return text.includes("/") ? text.replaceAll("/", "~1") : text;
}

/** The non-empty text that a JSON Pointer leads to in a value parsed from JSON; undefined where there is none. */
export function textAt(value: unknown, pointer: string): string | undefined {
  const keys = pointer.split("/").slice(1);
  const found = keys.map(unescape).reduce<unknown>(ownProperty, value);
  return typeof found === "string" && found !== "" ? found : undefined;
}

function unescape(key: string): string {
  return key.replaceAll("~1", "/").replaceAll("~0", "~");
}

function ownProperty(value: unknown, key: string): unknown {
  if (typeof value !== "object" || value === null || !Object.hasOwn(value, key)) {
    return undefined;
  }
  return new Map<string, unknown>(Object.entries(value)).get(key);
}
