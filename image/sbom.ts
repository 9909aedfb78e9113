import { readFileSync } from "node:fs";
import * as z from "zod";

/**
 * Prints the bill of materials of the image (CycloneDX 1.5): every package that its program is bundled from, as
 * package-lock.json has it, always the same for the same lock. `npm sbom` leaves out what development needs too (yaml, zod).
 */
const Lock = z.object({
  name: z.string(),
  version: z.string(),
  packages: z.record(
    z.string(),
    z.object({
      version: z.string().default(""),
      integrity: z.string().default(""),
      license: z.string().default(""),
      dev: z.boolean().default(false),
      optional: z.boolean().default(false),
    }),
  ),
});

const { name, version, packages } = Lock.parse(JSON.parse(readFileSync("package-lock.json", "utf8")));
const components = Object.entries(packages)
  .filter(([path, { dev, optional }]) => path !== "" && !dev && !optional)
  .map(([path, found]) => componentOf(path.split("node_modules/").at(-1) ?? "", found));
const document = {
  bomFormat: "CycloneDX",
  specVersion: "1.5",
  version: 1,
  metadata: { component: { type: "application", name, version, purl: `pkg:npm/${name}@${version}` } },
  components: [...new Map(components.map((component) => [component.purl, component])).values()],
};
process.stdout.write(`${JSON.stringify(document, undefined, 2)}\n`);

type Found = z.infer<typeof Lock>["packages"][string];

interface Component {
  readonly type: "library";
  readonly name: string;
  readonly version: string;
  readonly purl: string;
  readonly licenses: readonly { readonly expression: string }[];
  readonly hashes: readonly { readonly alg: "SHA-512"; readonly content: string }[];
}

function componentOf(name: string, { version, license, integrity }: Found): Component {
  const content = Buffer.from(integrity.replace(/^sha512-/, ""), "base64").toString("hex");
  return {
    type: "library",
    name,
    version,
    // The scope's @ is the only character of a name that a purl escapes.
    purl: `pkg:npm/${name.replace("@", "%40")}@${version}`,
    licenses: [{ expression: license }],
    hashes: [{ alg: "SHA-512", content }],
  };
}
