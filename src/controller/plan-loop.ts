/** Looks at the world whenever something has changed, and at set times. */
export interface PlanLoop {
  /** Something has changed; urgent where somebody waits for what follows from it. */
  ring(urgent: boolean): void;
}

/** When to look, and what looking is. */
export interface PlanLoopOptions {
  /** Looks at the world; returns when time alone makes it worth another look (milliseconds since 1970), if ever. */
  readonly look: () => number | undefined;
  /** Milliseconds since 1970. */
  readonly now: () => number;
  /** No look begins after it aborts. */
  readonly signal: AbortSignal;
}

/** Changes come in bursts: one backup of one volume makes a dozen in a few seconds. */
const DEBOUNCE_MS = 50;
/** Looked at even if nothing changes, so that a lost event is no more than a delay. */
const RESYNC_MS = 5 * 60_000;

/**
 * Looks at once, then after each ring: urgent ones at once, others soon. Looking takes at most half of the time, however
 * large the world is.
 */
export function startPlanLoop({ look, now, signal }: PlanLoopOptions): PlanLoop {
  let timer: NodeJS.Timeout | undefined;
  let dueAt = Infinity;
  let restUntil = 0;

  function lookAt(time: number): void {
    const at = Math.max(time, restUntil);
    if (signal.aborted || at >= dueAt) return;
    clearTimeout(timer);
    dueAt = at;
    timer = setTimeout(run, Math.max(0, at - now()));
  }
  function run(): void {
    dueAt = Infinity;
    if (signal.aborted) return;
    const begun = now();
    const recheckAt = look();
    restUntil = 2 * now() - begun;
    lookAt(Math.min(recheckAt ?? Infinity, now() + RESYNC_MS));
  }
  signal.addEventListener("abort", () => clearTimeout(timer), { once: true });
  lookAt(now());
  return { ring: (urgent) => lookAt(now() + (urgent ? 0 : DEBOUNCE_MS)) };
}
