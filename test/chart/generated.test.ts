import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { parse } from "yaml";
import * as z from "zod";
import { generate } from "../../charts/generate.ts";
import { readValuesComments } from "../../charts/values-comments.ts";
import { createJsonSchema } from "../../charts/values-json-schema.ts";
import { RESERVED_ANNOTATIONS, RESERVED_BACKUP_ANNOTATIONS, RESERVED_LABELS } from "../../src/kube/keys.ts";
import { createProgram } from "../../src/program.ts";
import { CHART, PRESETS } from "./chart.ts";

const valuesYaml = await readFile(join(CHART, "values.yaml"), "utf8");

for (const [name, text] of await generate(CHART)) {
  test(`${name} is what charts/generate.ts makes of values.yaml`, async () => {
    assert.equal(await readFile(join(CHART, name), "utf8"), text, "run: npm exec -- node charts/generate.ts");
  });
}

test("every value has a comment", () => {
  const bare = readValuesComments(valuesYaml).filter(({ text }) => text === "");
  assert.deepEqual(
    bare.map(({ path }) => path.join(".")),
    [],
  );
});

test("a value that the schema does not know is an error", () => {
  assert.throws(() => createJsonSchema(`${valuesYaml}\n# New.\nunheardOf: 1\n`), /unheardOf.*does not know/);
});

test("the README names every preset", async () => {
  const readme = await readFile(join(CHART, "README.md"), "utf8");
  assert.deepEqual(
    PRESETS.filter((name) => !readme.includes(`\`${name}\``)),
    [],
  );
});

test("the CEL expressions protect the keys that the server protects", async () => {
  const template = await readFile(join(CHART, "templates/_match-conditions.tpl"), "utf8");
  assert.deepEqual(listIn(template, "reservedLabels"), RESERVED_LABELS);
  assert.deepEqual(listIn(template, "reservedAnnotations"), RESERVED_ANNOTATIONS);
  assert.deepEqual(listIn(template, "reservedBackupAnnotations"), RESERVED_BACKUP_ANNOTATIONS);
});

function listIn(template: string, helper: string): unknown {
  const start = template.indexOf(`{{- define "snapshot-retainer.cel.${helper}" -}}`);
  const line = template.slice(start).split("\n")[1];
  return JSON.parse(line ?? "");
}

test("one version stands everywhere", async () => {
  const Chart = z.object({ version: z.string(), appVersion: z.string() });
  const chart = Chart.parse(parse(await readFile(join(CHART, "Chart.yaml"), "utf8")));
  const { version } = z
    .object({ version: z.string() })
    .parse(JSON.parse(await readFile("package.json", "utf8")));
  const program = await createProgram("plan");
  const dockerfile = await readFile("Dockerfile", "utf8");
  const [, image] = /^ARG VERSION=(.+)$/m.exec(dockerfile) ?? [];
  assert.deepEqual([chart.version, chart.appVersion, program.version(), image], Array(4).fill(version));
});
