import { readdir, rm, stat, utimes } from "node:fs/promises";
import { homedir } from "node:os";
import { join } from "node:path";

/** Where builds are kept between runs, outside the tree. */
export function cacheDirectory(environment: NodeJS.ProcessEnv): string {
  const base = environment["XDG_CACHE_HOME"];
  // The XDG specification: unset or empty means ~/.cache.
  return join(base === undefined || base === "" ? join(homedir(), ".cache") : base, "snapshot-retainer");
}

/** Notes that a build is in use, so that it is not removed for its age. */
export async function markUsed(directory: string): Promise<void> {
  const now = new Date();
  await utimes(directory, now, now);
}

/** Removes builds, finished or not, that nobody has used for two weeks. */
export async function removeUnused(cache: string, now: Date): Promise<void> {
  for (const name of await readdir(cache)) {
    const path = join(cache, name);
    // What is gone by now, such as another build's lock, is not old.
    const usedAt = await stat(path).then(
      ({ mtimeMs }) => mtimeMs,
      () => now.getTime(),
    );
    if (name.startsWith("bin-") && now.getTime() - usedAt > TWO_WEEKS_MS) {
      await rm(path, { recursive: true, force: true });
    }
  }
}

const TWO_WEEKS_MS = 14 * 24 * 60 * 60 * 1000;
