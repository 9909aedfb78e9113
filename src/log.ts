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
      timestamp: () => `,"time":"${new Date().toISOString()}"`,
      formatters: { level: (label) => ({ level: label }) },
    },
    // A system call for each line costs as much as deciding an admission: lines are written together, ten times a second.
    pino.destination({ dest: 2, sync: true, minLength: 4096, periodicFlush: 100 }),
  );
}

/** The words of anything that was thrown, with what caused it. */
export function messageOf(error: unknown): string {
  if (!(error instanceof Error)) {
    return typeof error === "string" ? error : JSON.stringify(error);
  }
  return error.cause instanceof Error ? `${error.message}: ${error.cause.message}` : error.message;
}
