import { setTimeout as sleep } from "node:timers/promises";
import { describeFailure } from "./failure.ts";
import type { CertificateLog } from "./source.ts";

/** What a loop does, and how often. */
export interface LoopOptions {
  /** Looks at the world as it is and brings it one step nearer to what it should be; throws what is in the way. */
  readonly step: () => Promise<void>;
  readonly pollMs: number;
  /** The pause between two steps; a second where left out. */
  readonly breathMs?: number;
  readonly subject: string;
  readonly log: CertificateLog;
  readonly signal: AbortSignal;
}

/** A running loop. */
export interface LevelLoop {
  /** Asks for a step soon. */
  ring(): void;
  /** What the last step met; undefined when it ended well. */
  problem(): string | undefined;
  /** Settles when the signal has ended the loop. */
  readonly ended: Promise<void>;
}

/**
 * A second between steps, however often the bell rings: our own writes ring it, and a controller that undoes what we do
 * must not be fought at full speed.
 */
const BREATH_MS = 1_000;

/** The pause after a failed step doubles from one second to half a minute, so that a repair takes less than one. */
const LONGEST_RETRY_MS = 30_000;

/**
 * Runs a step now, after every ring, and at least once in `pollMs`, until the signal aborts. What a step throws is
 * logged once as long as it stays the same, and the step is tried again.
 */
export function startLevelLoop({
  step,
  pollMs,
  breathMs = BREATH_MS,
  subject,
  log,
  signal,
}: LoopOptions): LevelLoop {
  let bell = Promise.withResolvers<void>();
  let problem: string | undefined;
  let retryMs = 0;

  async function tryStep(): Promise<void> {
    try {
      await step();
      if (problem !== undefined) log.info({ subject }, "certificates are in order again");
      problem = undefined;
      retryMs = 0;
    } catch (error) {
      const found = describeFailure(error);
      if (found !== problem)
        log.warn({ subject, reason: found }, "certificates are not in order, trying again");
      problem = found;
      retryMs = Math.min(Math.max(retryMs * 2, BREATH_MS), LONGEST_RETRY_MS);
    }
  }

  async function run(): Promise<void> {
    while (!signal.aborted) {
      bell = Promise.withResolvers<void>();
      await tryStep();
      await pause(breathMs, signal);
      await pauseUntil(bell.promise, problem === undefined ? pollMs : Math.min(retryMs, pollMs), signal);
    }
  }

  return { ring: () => bell.resolve(), problem: () => problem, ended: run() };
}

async function pauseUntil(rung: Promise<void>, ms: number, signal: AbortSignal): Promise<void> {
  const over = new AbortController();
  await Promise.race([rung, pause(ms, AbortSignal.any([signal, over.signal]))]);
  over.abort();
}

async function pause(ms: number, signal: AbortSignal): Promise<void> {
  await sleep(ms, undefined, { signal }).catch(() => undefined);
}
