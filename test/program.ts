import { mkdtemp } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { execFile } from "node:child_process";
import { promisify } from "node:util";

/** Names the bundle that tests start, once it is made. */
const PROGRAM_FILE = "SNAPSHOT_RETAINER_TEST_PROGRAM";

/**
 * What tests on a cluster start: the program as the image has it, which starts in a quarter of the time, wherever `test/run.ts` runs
 * them; its sources where a file of tests is run without it.
 */
export const PROGRAM = resolve(process.env[PROGRAM_FILE] ?? "src/main.ts");

/** Bundles the program for all processes that this one starts from now on; gives the directory that it is in. */
export async function bundleProgram(): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), "retainer-program-"));
  await promisify(execFile)(process.execPath, ["bundle.ts", "src/main.ts", `--outdir=${directory}`]);
  process.env[PROGRAM_FILE] = join(directory, "main.js");
  return directory;
}
