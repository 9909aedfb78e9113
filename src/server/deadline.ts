/** Gives a promise's value, or `late` when it takes too long; rejects as it does. */
export type Within = <T>(promise: Promise<T>, late: T) => Promise<T>;

/**
 * A deadline for many waits at once, kept by one timer that looks twenty times within it: a timer for each request
 * would cost as much as deciding it. Waits end up to a twentieth late; the timer runs only while somebody waits.
 */
export function createDeadline(ms: number, now: () => number): Within {
  const waits = new Set<{ readonly due: number; readonly end: () => void }>();
  let timer: NodeJS.Timeout | undefined;
  function look(): void {
    for (const wait of waits) {
      // In the order in which they began, which is the order in which they are due.
      if (wait.due > now()) {
        break;
      }
      waits.delete(wait);
      wait.end();
    }
    if (waits.size === 0) {
      clearInterval(timer);
      timer = undefined;
    }
  }
  return (promise, late) =>
    new Promise((resolve, reject) => {
      const wait = { due: now() + ms, end: () => resolve(late) };
      waits.add(wait);
      timer ??= setInterval(look, Math.max(1, ms / 20)).unref();
      promise.then(
        (value) => {
          waits.delete(wait);
          resolve(value);
        },
        (error: unknown) => {
          waits.delete(wait);
          reject(
            error instanceof Error
              ? error
              : new Error("a promise was rejected without an error", { cause: error }),
          );
        },
      );
    });
}
