import { createTextSharing } from "./recent.ts";

/** Strings remembered at once: those of a few pages of a list, so that what is listed side by side is shared too. */
const MOST = 20_000;

/** What no other object has: remembering it would only drive out what others share. */
const UNSHARED: ReadonlySet<string> = new Set(["uid", "resourceVersion"]);

/**
 * Lets equal strings of many objects be one string. JSON.parse makes a new one for each occurrence, and of ten thousand
 * snapshots each has its names, its volume and its Backup a dozen times. What was met lately is known still when there is no more
 * room, so that what all objects share stays one string.
 */
export function createInterner(): (object: object) => void {
  const intern = createTextSharing(MOST);
  function internAll(object: object): void {
    for (const key of Object.keys(object)) {
      const value: unknown = Reflect.get(object, key);
      if (typeof value === "string") {
        if (!UNSHARED.has(key)) Reflect.set(object, key, intern(value));
      } else if (typeof value === "object" && value !== null) {
        internAll(value);
      }
    }
  }
  return internAll;
}
