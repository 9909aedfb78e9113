import { ClusterNotStarted } from "../cluster/cluster.ts";
import { showDemo } from "./demo.ts";
import { createScreen } from "./screen.ts";

/** Ended by a signal: 128 and the number of SIGINT, as a shell has it. */
const INTERRUPTED = 130;

const STOPPED = "\nStopped; nothing is left running.\n";

async function run(environment: NodeJS.ProcessEnv): Promise<number> {
  const interrupted = new AbortController();
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
    process.on(signal, () => interrupted.abort());
  }
  const keep = !["", "0", undefined].includes(environment["KEEP"]);
  const { signal } = interrupted;
  try {
    await showDemo({ screen: createScreen(process.stdout), progress: process.stdout, keep, signal });
    // Where the cluster was left up, this is how it is to end.
    if (signal.aborted) process.stdout.write(STOPPED);
    return 0;
  } catch (error) {
    if (signal.aborted) {
      process.stdout.write(STOPPED);
      return INTERRUPTED;
    }
    process.stderr.write(`\n${describe(error)}\n`);
    return 1;
  }
}

function describe(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  if (error instanceof ClusterNotStarted) return error.message;
  return error.cause === undefined ? error.message : `${error.message}\n${describe(error.cause)}`;
}

// A child that a failed start left behind would otherwise keep Node running.
process.exit(await run(process.env));
