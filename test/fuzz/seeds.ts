import { globSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { createHash } from "node:crypto";
import { basename, join } from "node:path";
import * as z from "zod";
import { PATHS } from "./oracle.ts";
import type { Shot } from "./oracle.ts";

const DIRECTORY = join(import.meta.dirname, "seeds");

const Seed = z.strictObject({ path: z.enum(PATHS), body: z.base64() });

/** Every body that has been found worth keeping, by the name of its file. */
export function readSeeds(): Record<string, Shot> {
  return Object.fromEntries(
    globSync(join(DIRECTORY, "*.json"))
      .toSorted()
      .map((file) => {
        const { path, body } = Seed.parse(JSON.parse(readFileSync(file, "utf8")));
        return [basename(file, ".json"), { path, body: Buffer.from(body, "base64") }];
      }),
  );
}

/** Keeps a body, which the unit tests send from now on; gives the file. */
export function saveSeed({ path, body }: Shot): string {
  mkdirSync(DIRECTORY, { recursive: true });
  const digest = createHash("sha256").update(body).digest("hex").slice(0, 12);
  const file = join(DIRECTORY, `found-${digest}.json`);
  const seed = { path, body: Buffer.from(body).toString("base64") };
  writeFileSync(file, `${JSON.stringify(seed, undefined, 2)}\n`);
  return file;
}
