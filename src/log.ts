import { pino } from "pino";
import type { DestinationStream, Logger } from "pino";

/** Levels that --log-level takes. */
export const LOG_LEVELS = ["trace", "debug", "info", "warn", "error", "fatal", "silent"] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

/** pino, and a shorter way for the line that every request writes. */
export interface Log extends Logger {
  /**
   * Writes a line of level info whose fields are text and numbers. pino takes three times as long for the same line, since it
   * asks each field what it is (docs/performance.md).
   */
  plain(fields: PlainFields, message: string): void;
}

type PlainFields = Readonly<Record<string, string | number | undefined>>;

/** JSON lines on standard error; standard output belongs to results. */
export function createLog(
  level: LogLevel,
  destination: DestinationStream = pino.destination({ dest: 2, sync: true }),
): Log {
  const lines = createLines(destination);
  process.on("exit", () => lines.flush());
  const timeNow = createTimestamp(Date.now);
  const log = pino(
    {
      level,
      base: null,
      timestamp: () => `,"time":"${timeNow()}"`,
      formatters: { level: (label) => ({ level: label }) },
    },
    lines,
  );
  function plain(fields: PlainFields, msg: string): void {
    if (log.isLevelEnabled("info")) {
      lines.write(`${JSON.stringify({ level: "info", time: timeNow(), ...fields, msg })}\n`);
    }
  }
  return Object.assign(log, { plain });
}

/** Length of text that is written at once. */
const TOGETHER = 8 * 1024;
/** Longest that a line waits for others. */
const LINE_WAITS_MS = 100;

/** Lines on their way. */
export interface Lines extends DestinationStream {
  /** Writes the lines that still wait, such as before the process ends. */
  flush(): void;
}

/**
 * Writes lines together, ten times a second or more: a system call for each costs as much as deciding an admission.
 * pino's own way to do that (minLength) copies and counts all waiting lines at each, and loses them when the process ends.
 */
export function createLines(destination: DestinationStream): Lines {
  let waiting = "";
  let timer: NodeJS.Timeout | undefined;
  function flush(): void {
    clearTimeout(timer);
    timer = undefined;
    const text = waiting;
    waiting = "";
    if (text !== "") {
      destination.write(text);
    }
  }
  return {
    write(line) {
      waiting += line;
      if (waiting.length >= TOGETHER) {
        flush();
      } else {
        timer ??= setTimeout(flush, LINE_WAITS_MS).unref();
      }
    },
    flush,
  };
}

/** Writing a time out costs as much as the rest of a line; under load many lines share a millisecond. */
function createTimestamp(now: () => number): () => string {
  let last = { ms: 0, text: "" };
  return () => {
    const ms = now();
    if (ms !== last.ms) {
      last = { ms, text: new Date(ms).toISOString() };
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
