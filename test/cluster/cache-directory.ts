import { homedir } from "node:os";
import { join } from "node:path";

/** Where builds are kept between runs, outside the tree. */
export function cacheDirectory(environment: NodeJS.ProcessEnv): string {
  const base = environment["XDG_CACHE_HOME"];
  // The XDG specification: unset or empty means ~/.cache.
  return join(base === undefined || base === "" ? join(homedir(), ".cache") : base, "snapshot-retainer");
}
