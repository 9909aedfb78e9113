import picomatch from "picomatch";

const compiled = new Map<string, (text: string) => boolean>();

/**
 * Whether a text matches a glob in which `*` stands for any characters and `?` for one. Names of accounts hold
 * ":" and those of namespaces no "/", so a star crosses everything.
 */
export function matchesGlob(text: string, glob: string): boolean {
  let match = compiled.get(glob);
  if (match === undefined) {
    const matcher = picomatch(glob, {
      bash: true,
      dot: true,
      nonegate: true,
      noextglob: true,
      nobrace: true,
    });
    match = (candidate) => matcher(candidate);
    // Globs come from policies alone; a thousand is far more than one holds, and old policies' are dropped.
    if (compiled.size >= 1000) {
      compiled.clear();
    }
    compiled.set(glob, match);
  }
  return match(text);
}
