import { execFile, fork } from "node:child_process";
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
import { installProduct } from "../e2e/product.ts";
import type { Process } from "../e2e/product.ts";
import { ask } from "./answers.ts";
import { BODIES } from "./bodies.ts";
import { print, row, spread } from "./figures.ts";
import { CONTROLLER_OPTIONS, IMAGE, untilReady, WEBHOOK_OPTIONS } from "./image.ts";
import { usageOf } from "./process-usage.ts";
import { SERVER } from "./servers.ts";

/** What a start takes, what is needed at rest, and how large everything is. */
export async function measureFootprint({ rounds }: { readonly rounds: number }): Promise<void> {
  const cache = await mkdtemp(join(tmpdir(), "compile-cache-"));
  try {
    await firstAnswers(rounds, cache);
    await realStarts(rounds);
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
    execArgv: WEBHOOK_OPTIONS,
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

/** Both programs of the image, until /readyz says that they are ready on a cluster in which everything is there already. */
async function realStarts(rounds: number): Promise<void> {
  const cluster = await startCluster();
  try {
    const product = await installProduct(cluster);
    await product.stop();
    print(
      `\nstart of the image's programs on a small cluster (median of ${rounds} rounds, least to most in brackets)`,
    );
    print(row(["", "ready after ms", "RSS MiB at rest"]));
    await realStart("webhook", rounds, async () =>
      product.startReplica({ program: IMAGE, nodeFlags: WEBHOOK_OPTIONS }),
    );
    await realStart("controller", rounds, async () =>
      product.startController({ program: IMAGE, nodeFlags: CONTROLLER_OPTIONS }),
    );
  } finally {
    await cluster.stop();
  }
}

async function realStart(name: string, rounds: number, start: () => Promise<Process>): Promise<void> {
  const [ms, rss]: [number[], number[]] = [[], []];
  for (let round = 0; round <= rounds; round += 1) {
    const running = await start();
    const took = await untilReady(running);
    await sleep(REST_MS);
    const { rssMiB } = await usageOf(running.process.pid ?? 0);
    await running.stop();
    // The first one only warms up.
    if (round === 0) continue;
    ms.push(took);
    rss.push(rssMiB);
  }
  print(row([name, spread(ms), spread(rss)]));
}

const REST_MS = 1_500;

async function end(child: ChildProcess): Promise<void> {
  // A compile cache is written at an ordinary end.
  child.kill("SIGTERM");
  await Promise.race([once(child, "exit"), sleep(2_000)]);
  child.kill("SIGKILL");
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
