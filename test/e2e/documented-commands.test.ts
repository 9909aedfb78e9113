import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { globSync } from "node:fs";
import { chmod, copyFile, mkdir, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { promisify } from "node:util";
import * as z from "zod";
import { availableBinaries } from "../cluster/availability.ts";
import type { Cluster } from "../cluster/cluster.ts";
import { commandsOf } from "../docs/commands.ts";
import { PROGRAM } from "../program.ts";
import type { Api } from "./api.ts";
import { backUp, createVolume, somebodyLeads, startScene } from "./controller-scene.ts";
import type { Product } from "./product.ts";
import { A_LOCATION, aVelero } from "./velero-workloads.ts";

const { binaries, skip } = await availableBinaries("demo");
const run = promisify(execFile);

/** What a reader has to fill in. */
const FILLED: readonly [RegExp, string][] = [
  [/\bNAMESPACE\/(PVC|NAME)\b/g, "shop/data"],
  [/\bFILE\b/g, "policy.yaml"],
];

/** Why a command of the docs is not run here; the first that matches. Anything else is, and has to succeed. */
const NOT_RUN: readonly [RegExp, string][] = [
  [/^(make|npm|docker) /, "builds and tests: what runs this test, or needs a container engine"],
  [/^helm /, "chart/apply, e2e/upgrade and e2e/availability install, upgrade and remove the chart"],
  [/^velero /, "e2e/restore and the demo run Velero's own commands on a real Velero"],
  [/^kubectl port-forward/, "there are no Pods here; e2e/status-page opens the page itself"],
  [/^kubectl delete (namespace|pvc)/, "the demo does it"],
  [/^kubectl delete mutatingwebhookconfigurations/, "e2e/availability: the emergency command"],
  [/create configmap api-server-ca/, "e2e/client-certificate does it"],
  [
    / (release NAMESPACE|.*\/release=true)/,
    "frees what the other commands are about; e2e/command-line does it",
  ],
  [/xargs .*kubectl patch/, "it is for after an uninstallation, and would take our finalizers away"],
];

const PAGES = globSync(["README.md", "docs/*.md", "docs/runbooks/*.md"]).toSorted();

describe("commands of the docs", { skip, timeout: 300_000 }, () => {
  let cluster: Cluster;
  let api: Api;
  let product: Product;
  let environment: NodeJS.ProcessEnv;
  let directory = "";
  let snapshot = "";

  before(async () => {
    const policy = { snapshotsToRetain: 2, ceilings: { drivers: { "array.csi.snapshot-retainer.io": 10 } } };
    ({ cluster, api, product } = await startScene(binaries, policy));
    await (await product.startController()).ready();
    for (const object of aVelero()) await api.create(object);
    const { object: location } = await api.create(A_LOCATION);
    await api.patch(location, { status: { phase: "Available" } });
    await somebodyLeads(product);
    snapshot = (await backUp(api, await createVolume(api, "data"), "first")).upload.metadata.name;
    directory = join(cluster.directory, "reader");
    environment = await aReader();
  });
  after(async () => {
    await product.stop();
    await cluster.stop();
  });

  /** What somebody has who follows the docs: the commands on the PATH, a kubeconfig, and a policy to try. */
  async function aReader(): Promise<NodeJS.ProcessEnv> {
    const bin = join(directory, "bin");
    await mkdir(bin, { recursive: true });
    await copyFile("examples/policy.yaml", join(directory, "policy.yaml"));
    for (const name of ["snapshot-retainer", "kubectl-retainer"]) {
      await writeFile(join(bin, name), `#!/bin/sh\nexec "${process.execPath}" "${PROGRAM}" "$@"\n`);
      await chmod(join(bin, name), 0o755);
    }
    await symlink(cluster.binaries.kubectl, join(bin, "kubectl"));
    return { ...process.env, PATH: `${bin}:${process.env["PATH"] ?? ""}`, KUBECONFIG: cluster.kubeconfig };
  }

  const seen = new Map<string, string>();
  for (const { file, line, command } of PAGES.flatMap(commandsOf)) {
    const where = `${file}:${line}`;
    if (NOT_RUN.some(([pattern]) => pattern.test(command)) || seen.has(command)) continue;
    seen.set(command, where);
    test(`${where}: ${command}`, async () => {
      const filled = FILLED.reduce((text, [name, value]) => text.replaceAll(name, value), command)
        .replaceAll(/\b(SNAPSHOT|NAME)\b/g, snapshot)
        .replaceAll("nightly-2-x7k2p", snapshot);
      const done = run("bash", ["-c", filled], { env: environment, cwd: directory, timeout: 60_000 });
      await done.catch((error: unknown) => {
        const { stdout, stderr } = z.object({ stdout: z.string(), stderr: z.string() }).parse(error);
        assert.fail(`${filled}\n${stdout}\n${stderr}`);
      });
    });
  }

  test("some of the docs' commands are run, and each excuse is needed", () => {
    const all = PAGES.flatMap(commandsOf).map(({ command }) => command);
    assert.ok(seen.size > 20, `${seen.size} commands`);
    const idle = NOT_RUN.filter(([pattern]) => !all.some((command) => pattern.test(command)));
    assert.deepEqual(idle, []);
  });
});
