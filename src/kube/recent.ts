/** What was met lately, by a text. */
export interface Recent<T> {
  get(key: string): T | undefined;
  set(key: string, value: T): void;
}

/** Gives the same string for equal texts, as long as they were met lately; `most`: as below. */
export function createTextSharing(most: number): (text: string) => string {
  const recent = createRecent<string>(most);
  return (text) => {
    const known = recent.get(text);
    if (known === undefined) recent.set(text, text);
    return known ?? text;
  };
}

/**
 * Remembers what was set or found lately: the last half of `most` for certain, and never more than `most`. When there is no more
 * room, what was neither set nor found since it last came to that is forgotten at once.
 */
export function createRecent<T>(most: number): Recent<T> {
  let lately = new Map<string, T>();
  let before = new Map<string, T>();
  function set(key: string, value: T): void {
    if (lately.size >= most / 2) {
      before = lately;
      lately = new Map();
    }
    lately.set(key, value);
  }
  return {
    get(key) {
      const value = lately.get(key);
      if (value !== undefined) return value;
      const older = before.get(key);
      if (older !== undefined) set(key, older);
      return older;
    },
    set,
  };
}
