/** Strings remembered at once: those of a few pages of a list, so that what is listed side by side is shared too. */
const MOST = 20_000;

/**
 * Lets equal strings of many objects be one string. JSON.parse makes a new one for each occurrence, and of ten thousand
 * snapshots each has its names, its volume and its Backup a dozen times.
 */
export function createInterner(): (object: object) => void {
  const known = new Map<string, string>();
  function intern(text: string): string {
    const same = known.get(text);
    if (same !== undefined) return same;
    if (known.size >= MOST) known.clear();
    known.set(text, text);
    return text;
  }
  function internAll(object: object): void {
    for (const [key, value] of Object.entries(object) as [string, unknown][]) {
      if (typeof value === "string") {
        Reflect.set(object, key, intern(value));
      } else if (typeof value === "object" && value !== null) {
        internAll(value);
      }
    }
  }
  return internAll;
}
