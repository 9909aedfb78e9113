/** What became of one attempt. */
export type Outcome =
  /** Done, or overtaken by another change: the watches will tell. */
  | { readonly kind: "done" }
  /** Nothing failed, but more is to be done after a while, or as soon as the plan asks for something else. */
  | { readonly kind: "again"; readonly afterMs: number }
  | { readonly kind: "failed" };

/** One key of the queue. */
interface Entry<T> {
  /** The newest plan's item; undefined where the plan has none any more. */
  readonly item: T | undefined;
  readonly running: boolean;
  readonly failures: number;
  /** Not to be started before this time. */
  readonly notBefore: number;
  /** Which item was done last: the same again waits until the watches had time to tell. */
  readonly done: string | undefined;
}

/** How to tell items apart. */
export interface QueueRules<T> {
  readonly keyOf: (item: T) => string;
  /** Two items of one key with the same print ask for the same thing in the same situation. */
  readonly printOf: (item: T) => string;
}

/** What happened to an item that was taken; `random` is from 0 to below 1. */
export interface Finished<T> {
  readonly item: T;
  readonly outcome: Outcome;
  readonly now: number;
  readonly random: number;
}

/** What a queue knows, without clock and timers. */
export interface QueueState<T> {
  /** Takes the newest plan: only its items are ever taken from now on, and in its order. */
  replace(items: readonly T[]): void;
  /** The next item that may start at `now`, which then runs; else when to look again, if ever. */
  take(now: number): { readonly item: T } | { readonly wakeAt: number | undefined };
  /** Notes how an attempt ended: failures wait ever longer, and what the plan no longer wants is forgotten. */
  finish(finished: Finished<T>): void;
  /** How many items wait or run, and how many of them failed at least once. */
  count(): { readonly depth: number; readonly retrying: number };
}

/** A change of ours comes back by a watch within milliseconds; an API server under load may take this long. */
export const REPEAT_MS = 2_000;
/** Pauses after failures double from here … */
const FIRST_BACKOFF_MS = 500;
/** … up to this: a repair by hand then takes effect within a minute. */
const LONGEST_BACKOFF_MS = 60_000;

/** A queue of nothing. */
export function createQueueState<T>({ keyOf, printOf }: QueueRules<T>): QueueState<T> {
  let entries = new Map<string, Entry<T>>();
  return {
    replace(items) {
      const next = new Map<string, Entry<T>>();
      for (const item of items) {
        const key = keyOf(item);
        const before = entries.get(key) ?? FRESH;
        const isNews = before.done !== undefined && before.done !== printOf(item);
        if (!next.has(key)) {
          next.set(key, { ...before, item, ...(isNews && { done: undefined, notBefore: 0 }) });
        }
      }
      for (const [key, entry] of entries) {
        if (entry.running && !next.has(key)) next.set(key, { ...entry, item: undefined });
      }
      entries = next;
    },
    take(now) {
      let wakeAt: number | undefined;
      for (const [key, entry] of entries) {
        if (entry.item === undefined || entry.running) continue;
        if (entry.notBefore <= now) {
          entries.set(key, { ...entry, running: true });
          return { item: entry.item };
        }
        wakeAt = Math.min(wakeAt ?? entry.notBefore, entry.notBefore);
      }
      return { wakeAt };
    },
    finish(finished) {
      const key = keyOf(finished.item);
      const entry = entries.get(key);
      if (entry?.item === undefined) entries.delete(key);
      else entries.set(key, { ...entry, running: false, ...after(entry, entry.item, finished, printOf) });
    },
    count() {
      const all = [...entries.values()];
      return { depth: all.length, retrying: all.filter(({ failures }) => failures > 0).length };
    },
  };
}

const FRESH = { running: false, failures: 0, notBefore: 0, done: undefined } as const;

type After = Pick<Entry<unknown>, "failures" | "notBefore" | "done">;

function after<T>(
  { failures }: Entry<T>,
  newest: T,
  { item, outcome, now, random }: Finished<T>,
  printOf: QueueRules<T>["printOf"],
): After {
  if (outcome.kind === "failed") {
    return { failures: failures + 1, notBefore: now + backoffMs(failures, random), done: undefined };
  }
  const done = printOf(item);
  const waitMs = outcome.kind === "again" ? outcome.afterMs : REPEAT_MS;
  return printOf(newest) === done
    ? { failures: 0, notBefore: now + waitMs, done }
    : { failures: 0, notBefore: 0, done: undefined };
}

/** The pause after the given number of earlier failures: capped, and spread over its upper half. */
export function backoffMs(failures: number, random: number): number {
  const whole = Math.min(FIRST_BACKOFF_MS * 2 ** failures, LONGEST_BACKOFF_MS);
  return Math.round(whole / 2 + (whole / 2) * random);
}
