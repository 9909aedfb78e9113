import { readdir, readFile } from "node:fs/promises";
import { join, relative } from "node:path";

import { cacheKey } from "./cache-key.ts";
import { VELERO, type GoModule } from "./go-modules.ts";
import { manifestSettings } from "./manifests.ts";

/** Names what building the module on this kind of machine makes, from its files and its flags. */
export async function moduleKey(module: GoModule): Promise<string> {
  const files = await filesBelow(module.directory);
  if (module.withManifests) {
    files["manifests"] = [
      await readFile(join(VELERO.directory, "go.mod"), "utf8"),
      ...manifestSettings(),
    ].join("\n");
  }
  const links = Object.entries(module.links).flat(2);
  const settings = [process.platform, process.arch, ...module.packages, ...module.flags, ...links];
  return cacheKey({ files, settings });
}

async function filesBelow(directory: string): Promise<Record<string, string>> {
  const entries = await readdir(directory, { recursive: true, withFileTypes: true });
  const paths = entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
  const contents = paths.map(
    async (path) => [relative(directory, path), await readFile(path, "utf8")] as const,
  );
  return Object.fromEntries(await Promise.all(contents));
}
