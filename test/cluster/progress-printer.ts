import type { BuildProgress } from "./build-module.ts";

/** Where progress is printed: a terminal, or something that keeps every line. */
export interface ProgressOutput {
  readonly isTTY?: boolean;
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
      output.write(`\r\u001B[K${describeProgress(progress)}${progress.phase === "done" ? "\n" : ""}`);
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
  if (phase === "downloading modules" && downloaded > 0) parts.push(`${downloaded} so far`);
  if (estimate !== undefined) {
    parts.push(
      `${estimate.compiled} of ${estimate.toCompile} packages`,
      `${Math.floor(estimate.fraction * 100)} %`,
    );
  }
  parts.push(`${duration(progress.elapsedMs)} so far`);
  if (estimate !== undefined) parts.push(`about ${duration(estimate.remainingMs)} to go`);
  return parts.join(", ");
}

const LINE_EVERY_MS = 15_000;

function duration(ms: number): string {
  const seconds = Math.round(ms / 1000);
  return seconds < 60 ? `${seconds} s` : `${Math.floor(seconds / 60)} min ${seconds % 60} s`;
}
