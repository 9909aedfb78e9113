import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdir, mkdtemp, readdir, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { cacheDirectory } from "./cache-directory.ts";

const run = promisify(execFile);

/** A program of a Debian package, or why there is none. */
export type DebianProgram =
  { readonly kind: "found"; readonly file: string } | { readonly kind: "missing"; readonly reason: string };

/**
 * A program of a Debian package, unpacked into the cache without being installed: from the machine's own archive, checked as apt
 * checks it. For programs that Debian alone has in a size worth fetching; where there is no apt, there is no such program.
 */
export async function debianProgram(name: string, path: string): Promise<DebianProgram> {
  const cache = cacheDirectory(process.env);
  const unpacked = join(cache, `debian-${name}`);
  const file = join(unpacked, path);
  if (existsSync(file)) {
    return { kind: "found", file };
  }
  await mkdir(cache, { recursive: true });
  const work = await mkdtemp(join(cache, `debian-${name}-`));
  try {
    await run("apt-get", ["download", name], { cwd: work, timeout: 120_000 });
    const [archive = ""] = await readdir(work);
    await run("dpkg-deb", ["-x", archive, "files"], { cwd: work });
    // Another test may have been faster.
    await rename(join(work, "files"), unpacked).catch(() => undefined);
  } catch (error) {
    const reason = error instanceof Error ? (error.message.split("\n")[0] ?? "") : String(error);
    return { kind: "missing", reason: `Debian's package ${name} could not be had: ${reason}` };
  } finally {
    await rm(work, { recursive: true, force: true });
  }
  return { kind: "found", file };
}
