import { copyFile, mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import { basename, join } from "node:path";
import * as z from "zod";

import { go } from "./go.ts";
import { KUBERNETES, VELERO, type GoModule } from "./go-modules.ts";

/** Manifests that upstream publishes inside its Go module, kept as they are. */
interface ManifestSource {
  readonly wanted: GoModule;
  readonly module: string;
  readonly paths: readonly string[];
  readonly into: "crds" | "rbac";
}

/** What decides the content of the manifests besides the go.mod files. */
export function manifestSettings(): string[] {
  return SOURCES.map(({ module, paths, into }) => [module, ...paths, into].join(" "));
}

/** Fetches the modules that hold the manifests and copies these into directories `crds` and `rbac`. */
export async function collectManifests(directory: string, signal?: AbortSignal): Promise<void> {
  for (const source of SOURCES) {
    const target = join(directory, source.into);
    await mkdir(target, { recursive: true });
    const root = await moduleDirectory(source, signal);
    for (const path of source.paths) await copyManifests(join(root, path), target);
  }
}

const SNAPSHOTTER = "github.com/kubernetes-csi/external-snapshotter";

const SOURCES: readonly ManifestSource[] = [
  { wanted: KUBERNETES, module: `${SNAPSHOTTER}/client/v8`, paths: ["config/crd"], into: "crds" },
  {
    wanted: KUBERNETES,
    module: `${SNAPSHOTTER}/v8`,
    paths: [
      "deploy/kubernetes/snapshot-controller/rbac-snapshot-controller.yaml",
      "deploy/kubernetes/csi-snapshotter/rbac-csi-snapshotter.yaml",
    ],
    into: "rbac",
  },
  {
    wanted: KUBERNETES,
    module: "github.com/kubernetes-csi/external-provisioner/v6",
    paths: ["deploy/kubernetes/rbac.yaml"],
    into: "rbac",
  },
  {
    wanted: VELERO,
    module: "github.com/vmware-tanzu/velero",
    paths: ["config/crd/v1/bases", "config/crd/v2alpha1/bases"],
    into: "crds",
  },
];

const GoMod = z.object({ Require: z.array(z.object({ Path: z.string(), Version: z.string() })) });
const Download = z.object({ Dir: z.string() });

// By path and version, so that go fetches this one module and not the graph of everything it requires.
async function moduleDirectory(source: ManifestSource, signal?: AbortSignal): Promise<string> {
  const options = { directory: source.wanted.directory, signal };
  const required = GoMod.parse(JSON.parse(await go(["mod", "edit", "-json"], options))).Require;
  const version = required.find(({ Path }) => Path === source.module)?.Version;
  if (version === undefined)
    throw new Error(`${source.wanted.directory}/go.mod does not require ${source.module}`);
  const downloaded = await go(["mod", "download", "-json", `${source.module}@${version}`], options);
  return Download.parse(JSON.parse(downloaded)).Dir;
}

async function copyManifests(path: string, target: string): Promise<void> {
  if (path.endsWith(".yaml")) {
    // The upstream files of the sidecars stand in namespace default "if there is no other": here they run in kube-system.
    const manifest = await readFile(path, "utf8");
    const name = path.includes("provisioner") ? "rbac-csi-provisioner.yaml" : basename(path);
    await writeFile(join(target, name), manifest.replaceAll("namespace: default", "namespace: kube-system"));
    return;
  }
  const files = await readdir(path);
  for (const file of files.filter((name) => name.endsWith(".yaml") && name !== "kustomization.yaml")) {
    await copyFile(join(path, file), join(target, file));
  }
}
