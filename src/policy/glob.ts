/**
 * Whether a text matches a glob in which `*` stands for any characters and `?` for one; everything else stands for
 * itself. Names of accounts hold ":" and "/": a star crosses both. The time is bounded by the product of the two
 * lengths, since usernames come from anyone: a regular expression of several stars may take minutes for one.
 */
export function matchesGlob(text: string, glob: string): boolean {
  // By far the most usual shape, and asked at each admission.
  if (glob.endsWith("*") && glob.indexOf("*") === glob.length - 1 && !glob.includes("?")) {
    return text.startsWith(glob.slice(0, -1));
  }
  let [at, globAt] = [0, 0];
  // Where the last star stands, and how much of the text it has taken: only that one is ever tried again.
  let [star, taken] = [-1, 0];
  while (at < text.length) {
    if (glob[globAt] === "*") {
      [star, taken] = [globAt, at];
      globAt += 1;
    } else if (glob[globAt] === "?" || glob[globAt] === text[at]) {
      at += 1;
      globAt += 1;
    } else if (star >= 0) {
      taken += 1;
      at = taken;
      globAt = star + 1;
    } else {
      return false;
    }
  }
  return /^\**$/.test(glob.slice(globAt));
}
