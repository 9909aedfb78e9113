import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { describe, test } from "node:test";
import * as z from "zod";

const Package = z.object({
  version: z.string().optional(),
  integrity: z.string().optional(),
  license: z.string().optional(),
  dev: z.boolean().default(false),
  optional: z.boolean().default(false),
  hasInstallScript: z.boolean().default(false),
});
const Versions = z.record(z.string(), z.string());
const Manifest = z.object({
  dependencies: Versions,
  devDependencies: Versions,
  optionalDependencies: Versions,
});
const lock = z
  .object({ packages: z.record(z.string(), Package.loose()) })
  .parse(JSON.parse(readFileSync("package-lock.json", "utf8")));
const manifest = Manifest.parse(JSON.parse(readFileSync("package.json", "utf8")));

const installed = Object.entries(lock.packages).filter(([path]) => path !== "");
/** What the image's program is bundled from. */
const production = installed.filter(([, { dev, optional }]) => !dev && !optional);

/** Licenses that allow what we do with an unchanged package: to hand it on with ours, with its text beside it. */
const ALLOWED = [
  "MIT",
  "ISC",
  "Apache-2.0",
  "BSD-2-Clause",
  "BSD-3-Clause",
  "(BSD-3-Clause OR GPL-2.0)",
  "PSF-2.0",
  "Python-2.0",
  "Unlicense",
];

const Sbom = z.object({
  bomFormat: z.literal("CycloneDX"),
  components: z.array(z.object({ name: z.string(), version: z.string() })),
});

describe("the dependencies", () => {
  test("of production have licenses that we may hand on", () => {
    assert.ok(production.length > 50);
    const others = production.filter(([, { license }]) => !ALLOWED.includes(license ?? ""));
    assert.deepEqual(
      others.map(([path, { license }]) => `${path}: ${license}`),
      [],
    );
  });

  test("of production need no script to be installed", () => {
    assert.deepEqual(
      production.filter(([, { hasInstallScript }]) => hasInstallScript).map(([path]) => path),
      [],
    );
  });

  test("are locked by their digests, but for what other platforms would install for development", () => {
    const open = installed.filter(([, { integrity = "" }]) => !integrity.startsWith("sha512-"));
    assert.deepEqual(
      open.filter(([, { dev, optional }]) => !(dev && optional)).map(([path]) => path),
      [],
    );
  });

  test("are named by exact versions, which are those of the lock", () => {
    const { dependencies, devDependencies, optionalDependencies } = manifest;
    for (const [name, version] of Object.entries({
      ...dependencies,
      ...devDependencies,
      ...optionalDependencies,
    })) {
      assert.match(version, /^\d+\.\d+\.\d+$/, name);
      assert.equal(lock.packages[`node_modules/${name}`]?.version, version, name);
    }
  });

  test("of production, and nothing else, are in the bill of materials", () => {
    const text = execFileSync("npm", ["run", "--silent", "sbom"], { encoding: "utf8" });
    const { components } = Sbom.parse(JSON.parse(text));
    const listed = new Set(components.map(({ name, version }) => `${name}@${version}`));
    const wanted = production.map(
      ([path, { version }]) => `${path.split("node_modules/").at(-1)}@${version}`,
    );
    assert.deepEqual([...listed].toSorted(), [...new Set(wanted)].toSorted());
  });
});

describe("the Dockerfile", () => {
  const lines = readFileSync("Dockerfile", "utf8").split("\n");
  const runtime = lines.slice(lines.findLastIndex((line) => line.startsWith("FROM ")));

  test("runs no script of a package", () => {
    for (const line of lines.filter((text) => text.includes("npm ci")))
      assert.match(line, /--ignore-scripts/);
  });

  test("runs nothing in the image itself, and leaves it as a user with a number", () => {
    assert.deepEqual(
      runtime.filter((line) => line.startsWith("RUN ")),
      [],
    );
    assert.ok(runtime.includes("USER 65532:65532"));
  });

  test("names its bases by arguments, for digests to be given", () => {
    assert.deepEqual(
      lines.filter((line) => line.startsWith("FROM ")),
      ["FROM --platform=$BUILDPLATFORM ${BUILD_IMAGE} AS build", "FROM ${RUNTIME_IMAGE}"],
    );
  });

  test("copies the program, its licenses and its bill of materials, and nothing else", () => {
    assert.deepEqual(
      runtime.filter((line) => line.startsWith("COPY ")),
      [
        "COPY LICENSE package.json ./",
        "COPY --from=build /licenses ./licenses",
        "COPY --from=build /app/dist/sbom.json ./",
        "COPY --from=build /app/dist/image ./dist",
      ],
    );
  });
});
