import { execFile } from "node:child_process";
import { availableParallelism } from "node:os";
import { promisify } from "node:util";
import { print } from "./figures.ts";

/**
 * Runs with this process, which makes the load, on one processor and the servers on the others, so that neither takes time from what
 * is measured of the other. Needs `taskset` (util-linux); without it, or with one processor, they share, and a line says so.
 */
export async function onProcessorsOfTheirOwn(
  servers: readonly { readonly pid: number }[],
  run: () => Promise<void>,
): Promise<void> {
  const last = availableParallelism() - 1;
  const isApart = last > 0 && (await keepOn("0", process.pid));
  if (isApart) {
    for (const { pid } of servers) await keepOn(`1-${last}`, pid);
  }
  print(
    isApart
      ? "load on processor 0, servers on the others"
      : "load and servers share the processors: there is one alone, or no taskset",
  );
  try {
    await run();
  } finally {
    if (isApart) await keepOn(`0-${last}`, process.pid);
  }
}

/** All threads of a process; false where that is not possible. */
async function keepOn(processors: string, pid: number): Promise<boolean> {
  try {
    await promisify(execFile)("taskset", ["-acp", processors, String(pid)]);
    return true;
  } catch {
    return false;
  }
}
