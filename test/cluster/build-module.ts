import { existsSync, readdirSync, statSync } from "node:fs";
import { mkdir, mkdtemp, readFile, rename, rm, symlink } from "node:fs/promises";
import { availableParallelism } from "node:os";
import { basename, dirname, join } from "node:path";

import { markUsed, removeUnused } from "./cache-directory.ts";
import { estimate, type Estimate, type PackageCost } from "./estimate.ts";
import type { GoModule } from "./go-modules.ts";
import { go, requireGo } from "./go.ts";
import { withLock } from "./lock.ts";
import { collectManifests } from "./manifests.ts";
import { moduleKey } from "./module-key.ts";

/** Where a build stands. Downloading counts modules; there is an estimate from the moment the packages are known. */
export interface BuildProgress {
  readonly module: string;
  readonly phase: "preparing" | "downloading modules" | "compiling" | "linking" | "done";
  readonly elapsedMs: number;
  readonly downloaded: number;
  readonly estimate?: Estimate;
}

/** What a caller may ask of a build. */
export interface ModuleBuildOptions {
  readonly onProgress?: (progress: BuildProgress) => void;
  readonly signal?: AbortSignal;
}

/** Returns the directory in the cache that holds the module's programs, and builds it where it is not there yet. */
export async function buildModule(
  module: GoModule,
  cache: string,
  options: ModuleBuildOptions,
): Promise<string> {
  const directory = join(cache, `bin-${await moduleKey(module)}`);
  if (existsSync(directory)) {
    await markUsed(directory);
    return directory;
  }
  const startedAt = performance.now();
  function report(phase: BuildProgress["phase"], details: Partial<BuildProgress> = {}): void {
    const elapsedMs = performance.now() - startedAt;
    options.onProgress?.({ module: module.name, phase, elapsedMs, downloaded: 0, ...details });
  }
  report("preparing");
  await requireGo(module.directory, await goVersionIn(module.directory));
  const build = { module, report, signal: options.signal };
  async function buildUnlessThere(): Promise<void> {
    if (!existsSync(directory)) await buildInto(directory, build);
  }
  await withLock(`${directory}.lock`, buildUnlessThere, options.signal);
  await removeUnused(cache, new Date());
  report("done");
  return directory;
}

interface Build {
  readonly module: GoModule;
  readonly report: (phase: BuildProgress["phase"], details?: Partial<BuildProgress>) => void;
  readonly signal: AbortSignal | undefined;
}

// Built beside its place and put there in one step: the directory is there complete or not at all.
async function buildInto(directory: string, build: Build): Promise<void> {
  await mkdir(dirname(directory), { recursive: true });
  const unfinished = await mkdtemp(`${directory}.unfinished-`);
  try {
    const packages = await listPackages(build);
    if (build.module.withManifests) await collectManifests(unfinished, build.signal);
    await compile(build, packages, unfinished);
    for (const [program, names] of Object.entries(build.module.links)) {
      for (const name of names) await symlink(program, join(unfinished, name));
    }
    await putInPlace(unfinished, directory);
  } finally {
    await rm(unfinished, { recursive: true, force: true });
  }
}

async function putInPlace(unfinished: string, directory: string): Promise<void> {
  try {
    await rename(unfinished, directory);
  } catch (error) {
    // Two who took an abandoned lock at once have built the same; the first one's stays.
    if (!existsSync(directory)) throw error;
  }
}

// Listing what a program consists of makes Go fetch exactly the modules that this needs.
async function listPackages(build: Build): Promise<PackageCost[]> {
  let downloaded = 0;
  build.report("downloading modules");
  function onLine(line: string): void {
    if (line.startsWith("go: downloading "))
      build.report("downloading modules", { downloaded: ++downloaded });
  }
  const format = '{{.ImportPath}}\t{{.Dir}}\t{{join .Imports " "}}\t{{join .GoFiles "\t"}}';
  const options = { directory: build.module.directory, onLine, signal: build.signal };
  const listed = await go(["list", "-deps", "-f", format, ...build.module.packages], options);
  return listed.trimEnd().split("\n").map(packageCost);
}

function packageCost(line: string): PackageCost {
  const [importPath = "", directory = "", imports = "", ...files] = line.split("\t");
  const sizes = files.filter((file) => file !== "").map((file) => statSync(join(directory, file)).size);
  return { importPath, bytes: sizes.reduce((sum, size) => sum + size, 0), imports: imports.split(" ") };
}

async function compile(build: Build, packages: readonly PackageCost[], into: string): Promise<void> {
  const { module, report, signal } = build;
  const started = new Set<string>();
  const startedAt = performance.now();
  const programs = module.packages.map((path) => basename(path));
  function tell(): void {
    const present = readdirSync(into);
    const linked = programs.filter((program) => present.includes(program)).length;
    const elapsedMs = performance.now() - startedAt;
    const state = { packages, started, programs: programs.length, linked, elapsedMs };
    const now = estimate({ ...state, cores: availableParallelism() });
    report(now.isLinking ? "linking" : "compiling", { estimate: now });
  }
  const timer = setInterval(tell, TELL_EVERY_MS);
  try {
    // With -v Go names each package as it begins to compile it.
    const args = ["build", "-v", ...module.flags, "-o", `${into}/`, ...module.packages];
    await go(args, { directory: module.directory, onLine: (line) => started.add(line), signal });
  } finally {
    clearInterval(timer);
  }
}

const TELL_EVERY_MS = 500;

async function goVersionIn(directory: string): Promise<string> {
  const goMod = await readFile(join(directory, "go.mod"), "utf8");
  return /^go (\S+)$/m.exec(goMod)?.[1] ?? "";
}
