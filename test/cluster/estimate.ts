/** A package to compile. Its source's size stands for its cost: over a whole build the two go together. */
export interface PackageCost {
  readonly importPath: string;
  readonly bytes: number;
  readonly imports: readonly string[];
}

/** How far a build has come. */
export interface BuildState {
  readonly packages: readonly PackageCost[];
  /** Those that Go has named as being compiled, in that order: as many as there are cores may still be at work. */
  readonly started: ReadonlySet<string>;
  readonly programs: number;
  readonly linked: number;
  readonly elapsedMs: number;
  readonly cores: number;
}

/** What to tell someone who waits. */
export interface Estimate {
  readonly compiled: number;
  readonly toCompile: number;
  /** Nothing is left to begin compiling. */
  readonly isLinking: boolean;
  readonly fraction: number;
  readonly remainingMs: number;
}

/**
 * Estimates what is left of a build. What a package that is being compiled imports is there: if Go has not named it, it
 * came from Go's cache and counts for nothing. The speed is the one seen so far, begun with an assumed one, so that the first answers do not jump about.
 */
export function estimate(state: BuildState): Estimate {
  const there = importedBy(state);
  const needed = state.packages.filter(
    ({ importPath }) => state.started.has(importPath) || !there.has(importPath),
  );
  const linkBytes = LINK_BYTES * state.programs;
  const total = sumOfBytes(needed) + linkBytes;
  const finished = finishedOf(state);
  const compiled = needed.filter(({ importPath }) => finished.has(importPath));
  const done = sumOfBytes(compiled) + LINK_BYTES * state.linked;
  const assumed = ASSUMED_BYTES_PER_CORE_MS * state.cores;
  const speed = (done + assumed * ASSUMED_FOR_MS) / (state.elapsedMs + ASSUMED_FOR_MS);
  return {
    compiled: compiled.length,
    toCompile: needed.length,
    isLinking: needed.every(({ importPath }) => state.started.has(importPath)),
    fraction: total === 0 ? 1 : done / total,
    remainingMs: (total - done) / speed,
  };
}

function finishedOf({ started, cores, programs, linked }: BuildState): ReadonlySet<string> {
  return linked === programs ? started : new Set([...started].slice(0, -cores));
}

// Everything that the packages being compiled import, directly or not.
function importedBy({ packages, started }: BuildState): ReadonlySet<string> {
  const importsOf = new Map(packages.map(({ importPath, imports }) => [importPath, imports]));
  const found = new Set<string>();
  const toFollow = [...started];
  for (let next = toFollow.pop(); next !== undefined; next = toFollow.pop()) {
    for (const imported of importsOf.get(next) ?? []) {
      if (!found.has(imported)) toFollow.push(imported);
      found.add(imported);
    }
  }
  return found;
}

function sumOfBytes(packages: readonly PackageCost[]): number {
  return packages.reduce((sum, { bytes }) => sum + bytes, 0);
}

// Measured on the build of the control plane, 2 cores: the whole of it and the linking of one program in it.
const ASSUMED_BYTES_PER_CORE_MS = 150;
const LINK_BYTES = 1_500_000;

// For how long the assumed speed weighs as much as the one seen.
const ASSUMED_FOR_MS = 30_000;
