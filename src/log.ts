import { pino } from "pino";
import type { Logger } from "pino";

/** Levels that --log-level takes. */
export const LOG_LEVELS = ["trace", "debug", "info", "warn", "error", "fatal", "silent"] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

/** JSON lines on standard error; standard output belongs to results. */
export function createLog(level: LogLevel): Logger {
  return pino(
    {
      level,
      base: null,
      timestamp: createTimestamp(Date.now),
      formatters: { level: (label) => ({ level: label }) },
    },
    // A system call for each line costs as much as deciding an admission: lines are written together, ten times a second.
    pino.destination({ dest: 2, sync: true, minLength: 4096, periodicFlush: 100 }),
  );
}

/** Writing a time out costs as much as the rest of a line; under load many lines share a millisecond. */
function createTimestamp(now: () => number): () => string {
  let last = { ms: 0, text: "" };
  return () => {
    const ms = now();
    if (ms !== last.ms) {
      last = { ms, text: `,"time":"${new Date(ms).toISOString()}"` };
    }
    return last.text;
  };
}

/** The words of anything that was thrown, with what caused it. */
export function messageOf(error: unknown): string {
  if (!(error instanceof Error)) {
    return typeof error === "string" ? error : JSON.stringify(error);
  }
  return error.cause instanceof Error ? `${error.message}: ${error.cause.message}` : error.message;
}
