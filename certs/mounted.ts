import { watch } from "node:fs";
import { readFile } from "node:fs/promises";
import { setTimeout as sleep } from "node:timers/promises";
import { describeFailure } from "./failure.ts";

/**
 * The kubelet updates a mounted Secret within about a minute, so ten seconds add little; and the poll is all there is
 * where file events are not delivered (some network and overlay file systems).
 */
export const POLL_MS = 10_000;

/** Reads a mounted file; the error says what to do. */
export async function readMounted(file: string): Promise<string> {
  try {
    return await readFile(file, "utf8");
  } catch (cause) {
    const reason = describeFailure(cause);
    throw new Error(
      `cannot read "${file}": ${reason}; mount the Secret or ConfigMap there, or name another file`,
      { cause },
    );
  }
}

/**
 * Watches the directory and not the files: what is mounted changes by swapping the symbolic link `..data`, of which the
 * files behind it notice nothing.
 */
export async function watchDirectory(
  directory: string,
  onChange: () => void,
  signal: AbortSignal,
): Promise<void> {
  while (!signal.aborted) {
    try {
      const watcher = watch(directory, { signal });
      await new Promise((resolve, reject) => {
        watcher.on("change", onChange).on("close", resolve).on("error", reject);
      });
    } catch {
      // The directory may not be there yet. That its files cannot be read is reported by the step.
    }
    await sleep(POLL_MS, undefined, { signal }).catch(() => undefined);
  }
}
