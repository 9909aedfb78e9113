import assert from "node:assert/strict";
import { existsSync, globSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { test } from "node:test";
import * as z from "zod";
import { parsePolicy } from "../../src/policy/parse.ts";
import { parseManifests } from "../../src/review/documents.ts";
import { render } from "../../src/review/render.ts";
import { reviewManifests } from "../../src/review/review.ts";
import { DOCUMENTS, renderDocument } from "./reference.ts";

const Package = z.object({ scripts: z.record(z.string(), z.string()) });
const ALL_DOCUMENTS = globSync(["*.md", "docs/**/*.md", "charts/*/README.md", "test/**/*.md"]).toSorted();

for (const file of DOCUMENTS) {
  test(`${file} has the tables of the sources; npm exec -- node test/docs/main.ts writes them`, async () => {
    assert.equal(readFileSync(file, "utf8"), await renderDocument(file));
  });
}

test("the tables hold what the sources say", async () => {
  const wanted = await renderDocument("docs/admission.md");
  assert.match(wanted, /\| `limit_set` +\| the limit annotation was added to a Backup +\|/);
});

for (const file of ALL_DOCUMENTS) {
  test(`the links of ${file} lead somewhere`, () => {
    assert.deepEqual(deadLinks(file), []);
  });
}

test("every row of a table has a cell for each column", () => {
  const rows = ALL_DOCUMENTS.flatMap((file) => unevenRows(file));
  assert.deepEqual(rows, []);
});

/** A pipe within a cell has a backslash before it. */
function unevenRows(file: string): string[] {
  const lines = readFileSync(file, "utf8").split("\n");
  function cells(line = ""): number {
    return line.trim().startsWith("|") ? (line.match(/(?<!\\)\|/g) ?? []).length : 0;
  }
  return lines
    .filter(
      (line, index) =>
        cells(line) > 0 && cells(lines[index - 1]) > 0 && cells(line) !== cells(lines[index - 1]),
    )
    .map((line) => `${file}: ${line.slice(0, 60)}`);
}

test("every metric is documented, and every documented metric exists", () => {
  const names = /snapshot_retainer_[a-z_]+/g;
  const sources = ["src/metrics.ts", "src/controller/metrics.ts"];
  const existing = new Set(sources.flatMap((file) => readFileSync(file, "utf8").match(names) ?? []));
  const documented = ALL_DOCUMENTS.flatMap((file) => readFileSync(file, "utf8").match(names) ?? []);
  const listed = new Set(readFileSync("docs/metrics.md", "utf8").match(names));
  assert.ok(existing.size > 0);
  assert.deepEqual(
    documented.filter((name) => !existing.has(name.replace(/_(bucket|sum|count)$/, ""))),
    [],
  );
  assert.deepEqual(
    [...existing].filter((name) => !listed.has(name)),
    [],
  );
});

test("what npm and make are told to do in the documents exists", () => {
  const scripts = new Set(
    Object.keys(Package.parse(JSON.parse(readFileSync("package.json", "utf8"))).scripts),
  );
  const targets = new Set(
    [...readFileSync("Makefile", "utf8").matchAll(/^([a-z]+):/gm)].map(([, target]) => target),
  );
  const texts = ["README.md", ...globSync("docs/**/*.md")]
    .map((file) => readFileSync(file, "utf8"))
    .join("\n");
  const runs = [...texts.matchAll(/`?npm run (?:--silent )?([a-z]+)/g)].map(([, script = ""]) => script);
  const makes = [...texts.matchAll(/(?:^|`|\n) *make ([a-z]+)/g)].map(([, target = ""]) => target);
  assert.ok(makes.length > 0);
  assert.deepEqual(
    runs.filter((script) => !scripts.has(script)),
    [],
  );
  assert.deepEqual(
    makes.filter((target) => !targets.has(target)),
    [],
  );
});

for (const [page, least] of [
  ["docs/security.md", 18],
  ["docs/reliability.md", 12],
] as const) {
  test(`every test that ${page} names exists`, () => {
    const rows = readFileSync(page, "utf8")
      .split("\n")
      .filter((line) => /^\| [SC]\d+ /.test(line));
    assert.ok(rows.length >= least);
    for (const row of rows) checkNamed(row);
  });
}

/** The last cell of a row names files of tests, and after each in quotes what is tested there. */
function checkNamed(row: string): void {
  const named = row.split("|").at(-2) ?? "";
  const files = named.split("`").filter((_, index) => index % 2 === 1);
  assert.ok(files.length > 0, row);
  for (const [index, file] of files.entries()) {
    const text = readFileSync(join("test", `${file}.test.ts`), "utf8");
    const sentences = named.split("`")[2 * index + 2]?.match(/"[^"]+"/g) ?? [];
    assert.ok(sentences.length > 0, `${file} in ${row.slice(0, 6)}`);
    for (const sentence of sentences) assert.ok(text.includes(sentence.slice(1, -1)), `${file}: ${sentence}`);
  }
}

for (const prefix of ["", "other-mover-"]) {
  test(`examples/${prefix}manifests.yaml reviews as it always did`, async (t) => {
    const policy = parsePolicy(readFileSync(`examples/${prefix}policy.yaml`, "utf8"));
    assert.equal(policy.kind, "policy");
    const manifests = parseManifests("FILE", readFileSync(`examples/${prefix}manifests.yaml`, "utf8"));
    const options = { policy: policy.policy, policyLocation: "POLICY", as: undefined };
    const text = render(await reviewManifests(manifests, options), "diff", false);
    t.assert.fileSnapshot(text, `test/golden/${prefix}examples.txt`, { serializers: [String] });
  });
}

for (const [file, text] of policiesIn(ALL_DOCUMENTS)) {
  test(`the policy in ${file} is valid: ${text.split("\n", 4).join(" ").slice(0, 80)}`, () => {
    const parsed = parsePolicy(text);
    assert.deepEqual(parsed.kind === "invalid" ? parsed.problems : [], []);
  });
}

/** Relative links to files that are not there, or to headings that their document does not have. */
function deadLinks(file: string): string[] {
  const text = withoutCode(readFileSync(file, "utf8"));
  const links = [...text.matchAll(/\]\(([^)\s]+)\)/g)].map(([, link = ""]) => link);
  return links.filter((link) => !/^[a-z]+:/.test(link)).filter((link) => isDead(file, link));
}

function isDead(file: string, link: string): boolean {
  const [path = "", anchor] = link.split("#");
  const target = path === "" ? file : join(dirname(file), path);
  if (!existsSync(target)) return true;
  return anchor !== undefined && !anchorsOf(readFileSync(target, "utf8")).includes(anchor);
}

function anchorsOf(text: string): string[] {
  const headings = [...withoutCode(text).matchAll(/^#+ (.*)$/gm)].map(([, heading = ""]) => heading);
  return headings.map((heading) =>
    heading
      .toLowerCase()
      .replaceAll(/[^\w\- ]/g, "")
      .replaceAll(" ", "-"),
  );
}

function withoutCode(text: string): string {
  return text.replaceAll(/^```[^]*?^```/gm, "");
}

function policiesIn(files: readonly string[]): [string, string][] {
  return files.flatMap((file) => {
    const blocks = [...readFileSync(file, "utf8").matchAll(/^```yaml\n([^]*?)^```/gm)];
    return blocks
      .map(([, block = ""]): [string, string] => [file, block])
      .filter(([, block]) => block.includes("kind: RetentionPolicy"));
  });
}
