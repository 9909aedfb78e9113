import { execFile, fork, spawn } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { globSync, readFileSync, statSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { promisify } from "node:util";
import * as z from "zod";
import { aHeld, someKeys } from "../certs/pair.ts";
import { startCluster } from "../cluster/cluster.ts";
import type { Cluster } from "../cluster/cluster.ts";
import { findPorts } from "../cluster/ports.ts";
import { installProduct, NAMESPACE } from "../e2e/product.ts";
import { ask } from "./answers.ts";
import { BODIES } from "./bodies.ts";
import { print, row, spread } from "./figures.ts";
import { usageOf } from "./process-usage.ts";
import { OPTIONS, SERVER } from "./servers.ts";

/** What a start takes, what is needed at rest, and how large everything is. */
export async function measureFootprint({ rounds }: { readonly rounds: number }): Promise<void> {
  const cache = await mkdtemp(join(tmpdir(), "compile-cache-"));
  try {
    await firstAnswers(rounds, cache);
    await realStarts(rounds, cache);
  } finally {
    await rm(cache, { recursive: true, force: true });
  }
  await sizes();
}

/** A second start with a compile cache finds what the first one compiled. */
type Environment = Readonly<Record<string, string>>;

async function firstAnswers(rounds: number, cache: string): Promise<void> {
  const ways: Record<string, { readonly server: string; readonly environment: Environment }> = {
    bare: { server: "bare", environment: {} },
    ours: { server: "ours", environment: {} },
    "ours, compile cache": { server: "ours", environment: { NODE_COMPILE_CACHE: cache } },
  };
  const measured = new Map<string, number[]>(Object.keys(ways).map((name) => [name, []]));
  const { cert, key } = aHeld(await someKeys(), { names: ["127.0.0.1"], now: new Date() });
  for (let round = 0; round <= rounds; round += 1) {
    for (const [name, { server, environment }] of Object.entries(ways)) {
      const ms = await firstAnswer(server, environment, { cert, key });
      if (round > 0) measured.get(name)?.push(ms);
    }
  }
  print(`\ncold start of the admission server alone (median of ${rounds} rounds, least to most in brackets)`);
  print(row(["", "first answer, ms"]));
  for (const [name, all] of measured) print(row([name, spread(all)]));
}

async function firstAnswer(name: string, environment: Environment, pair: object): Promise<number> {
  const begun = performance.now();
  const child = fork(SERVER, [name], {
    stdio: ["ignore", "ignore", "ignore", "ipc"],
    execArgv: OPTIONS,
    env: { ...process.env, ...environment },
  });
  child.send(pair);
  const [{ port }] = z
    .tuple([z.object({ port: z.number() })])
    .rest(z.unknown())
    .parse(await once(child, "message"));
  const answer = await ask({ port, path: "/mutate" }, BODIES["Backup"]?.[0] ?? "");
  const ms = performance.now() - begun;
  await end(child);
  if (!answer.includes('"allowed":true')) throw new Error(`${name} does not answer`);
  return ms;
}

const Ready = /^ok/;

/** Both programs of the image, until /readyz says that they are ready on a cluster in which everything is there already. */
async function realStarts(rounds: number, cache: string): Promise<void> {
  const cluster = await startCluster();
  try {
    const product = await installProduct(cluster);
    await product.stop();
    print(
      `\nstart of the image's programs on a small cluster (median of ${rounds} rounds, least to most in brackets)`,
    );
    print(row(["", "ready after ms", "RSS MiB at rest"]));
    const environments = [
      ["", {}],
      [", compile cache", { NODE_COMPILE_CACHE: cache }],
    ] as const;
    for (const program of ["webhook", "controller"] as const) {
      for (const [suffix, environment] of environments) {
        const starts = await repeat(rounds, async () => realStart(cluster, program, environment));
        const [ms, rss] = [starts.map((start) => start.ms), starts.map(({ rssMiB }) => rssMiB)];
        print(row([`${program}${suffix}`, spread(ms), spread(rss)]));
      }
    }
  } finally {
    await cluster.stop();
  }
}

/** All but the first, which only warms up. */
async function repeat<T>(rounds: number, act: () => Promise<T>): Promise<T[]> {
  const results: T[] = [];
  for (let round = 0; round <= rounds; round += 1) results.push(await act());
  return results.slice(1);
}

async function realStart(
  cluster: Cluster,
  program: "webhook" | "controller",
  environment: Environment,
): Promise<{ readonly ms: number; readonly rssMiB: number }> {
  const [port = 0, probePort = 0] = await findPorts(2);
  const kubeconfig = await cluster.kubeconfigFor(NAMESPACE, `snapshot-retainer-${program}`);
  const flags = [
    "--kubeconfig",
    kubeconfig,
    "--namespace",
    NAMESPACE,
    "--host",
    "127.0.0.1",
    "--probe-port",
    String(probePort),
  ];
  const own = [
    "--port",
    String(port),
    "--dns-name",
    "127.0.0.1",
    "--webhook-configuration",
    "snapshot-retainer",
  ];
  const begun = performance.now();
  const args = ["dist/image/main.js", program, ...flags, ...(program === "webhook" ? own : [])];
  const options =
    program === "webhook"
      ? OPTIONS
      : ["--max-semi-space-size=4", "--no-parallel-scavenge", "--optimize-for-size"];
  const child = spawn(process.execPath, [...options, ...args], {
    stdio: "ignore",
    env: { ...process.env, ...environment },
  });
  while (!Ready.test(await textOf(`http://127.0.0.1:${probePort}/readyz`))) {
    if (child.exitCode !== null) throw new Error(`the ${program} ended`);
    await sleep(5);
  }
  const ms = performance.now() - begun;
  await sleep(1_500);
  const { rssMiB } = await usageOf(child.pid ?? 0);
  await end(child);
  return { ms, rssMiB };
}

async function end(child: ChildProcess): Promise<void> {
  // A compile cache is written at an ordinary end.
  child.kill("SIGTERM");
  await Promise.race([once(child, "exit"), sleep(2_000)]);
  child.kill("SIGKILL");
}

async function textOf(url: string): Promise<string> {
  return fetch(url).then(
    async (response) => response.text(),
    () => "",
  );
}

const Lock = z.object({
  packages: z.record(
    z.string(),
    z.object({ dev: z.boolean().default(false), optional: z.boolean().default(false) }),
  ),
});

/** What the image holds beside its base, and what it is made from. */
async function sizes(): Promise<void> {
  const directory = await mkdtemp(join(tmpdir(), "image-"));
  try {
    await promisify(execFile)(process.execPath, ["bundle.ts", "src/main.ts", `--outdir=${directory}`]);
    print("\nsizes");
    print(row(["", "files", "MB"]));
    printSize("the bundle", globSync(join(directory, "**/*.js")));
    printSize("its source maps", globSync(join(directory, "**/*.map")));
    const { packages } = Lock.parse(JSON.parse(readFileSync("package-lock.json", "utf8")));
    const production = Object.entries(packages).filter(
      ([path, { dev, optional }]) => path !== "" && !dev && !optional,
    );
    const files = production
      .flatMap(([path]) =>
        globSync(`${path}/**/*`).filter((file) => !file.slice(path.length).includes("node_modules")),
      )
      .filter((file) => statSync(file).isFile());
    printSize(
      "licences",
      files.filter((file) => /\/licen[cs]e[^/]*$/i.test(file)),
    );
    printSize(`${production.length} packages that it is made from`, files);
    printSize("Node, in the base image", [process.execPath]);
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

function printSize(name: string, files: readonly string[]): void {
  const bytes = files.reduce((sum, file) => sum + statSync(file).size, 0);
  print(row([name, String(files.length), (bytes / 1e6).toFixed(2)]));
}
