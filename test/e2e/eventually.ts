import { setTimeout as sleep } from "node:timers/promises";

/** Generous: what takes milliseconds on an idle machine may take seconds on a busy one. */
const WITHIN_MS = 30_000;
const POLL_MS = 50;

/** Long enough for a step of Velero's on a machine that has other work, too. */
export const PATIENCE_MS = 120_000;

/** Tries until the attempt does not throw, and returns what it returned; fails with the last error as the cause. */
export async function eventually<T>(
  what: string,
  attempt: () => T | Promise<T>,
  withinMs = WITHIN_MS,
): Promise<T> {
  const end = performance.now() + withinMs;
  for (;;) {
    try {
      return await attempt();
    } catch (cause) {
      if (performance.now() > end) {
        const last = cause instanceof Error ? cause.message : String(cause);
        throw new Error(`${what}: not within ${withinMs / 1000} s; last: ${last}`, { cause });
      }
    }
    await sleep(POLL_MS);
  }
}
