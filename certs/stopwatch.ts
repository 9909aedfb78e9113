/** Tells how long something has been as it is. */
export interface Stopwatch {
  /** Milliseconds since the picture first was this one; 0 when it has just changed. */
  elapsed(picture: string): number;
}

/** Creates a stopwatch on a monotonic clock: a wall clock that is set would shorten waiting, or make it endless. */
export function createStopwatch(clock: () => number): Stopwatch {
  let seen: { readonly picture: string; readonly at: number } | undefined;
  return {
    elapsed(picture) {
      const now = clock();
      if (seen?.picture !== picture) seen = { picture, at: now };
      return now - seen.at;
    },
  };
}
