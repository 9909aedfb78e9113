import { createHash } from "node:crypto";

/** Everything that decides what a build makes. */
export interface BuildInput {
  /** Content of go.mod, go.sum and the sources, by path relative to the module. */
  readonly files: Readonly<Record<string, string>>;
  readonly settings: readonly string[];
}

/** Names a build: equal input gives an equal name, and any difference another one. */
export function cacheKey(input: BuildInput): string {
  const files = Object.entries(input.files).sort(([a], [b]) => (a < b ? -1 : 1));
  const hash = createHash("sha256").update(JSON.stringify([files, input.settings]));
  return hash.digest("hex").slice(0, KEY_LENGTH);
}

// 64 bits: a handful of builds are ever kept on one machine, and the name stays readable.
const KEY_LENGTH = 16;
