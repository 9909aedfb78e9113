import type { BuildProgress } from "./build-module.ts";

/** Where progress is printed: a terminal, or something that keeps every line. */
export interface ProgressOutput {
  readonly isTTY?: boolean;
  readonly columns?: number;
  write(text: string): unknown;
}

/**
 * Makes a listener that shows a build's progress: on a terminal as one line that is rewritten, elsewhere as a line at
 * each change of phase and every quarter of a minute.
 */
export function createProgressPrinter(output: ProgressOutput): (progress: BuildProgress) => void {
  let lastPhase = "";
  let lastAt = 0;
  return (progress) => {
    const phase = `${progress.module} ${progress.phase}`;
    const isDue = phase !== lastPhase || progress.elapsedMs - lastAt >= LINE_EVERY_MS;
    if (output.isTTY === true) {
      // A line that wraps could not be rewritten.
      const line = describeProgress(progress).slice(0, (output.columns ?? DEFAULT_COLUMNS) - 1);
      output.write(`\r\u001B[K${line}${progress.phase === "done" ? "\n" : ""}`);
    } else if (isDue) {
      output.write(`${describeProgress(progress)}\n`);
      lastAt = progress.elapsedMs;
    }
    lastPhase = phase;
  };
}

/** Says in one line where a build stands and how long it may still take. */
export function describeProgress(progress: BuildProgress): string {
  const { module, phase, downloaded, estimate } = progress;
  const parts = [`${module}: ${phase}`];
  if (phase === "downloading modules" && downloaded > 0) parts.push(`${downloaded} fetched`);
  if (estimate !== undefined) {
    const percent = Math.floor(estimate.fraction * 100);
    parts.push(`${estimate.compiled} of ${estimate.toCompile} packages (${percent} %)`);
  }
  parts.push(duration(progress.elapsedMs));
  if (estimate !== undefined) parts.push(`about ${roughDuration(estimate.remainingMs)} to go`);
  return parts.join(", ");
}

const LINE_EVERY_MS = 15_000;

const DEFAULT_COLUMNS = 80;

// To ten seconds: the estimate is no better than that.
function roughDuration(ms: number): string {
  return duration(Math.ceil(ms / 10_000) * 10_000);
}

function duration(ms: number): string {
  const seconds = Math.round(ms / 1000);
  return seconds < 60 ? `${seconds} s` : `${Math.floor(seconds / 60)} min ${seconds % 60} s`;
}
