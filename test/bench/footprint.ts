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
import { figure, median, spread } from "./figures.ts";
import { CONTROLLER_OPTIONS, IMAGE, untilReady, WEBHOOK_OPTIONS } from "./image.ts";
import { usageOf } from "./process-usage.ts";
import { MEASURED } from "./report.ts";
import type { Report } from "./report.ts";
import { SERVER } from "./servers.ts";
import { judged } from "./targets.ts";

/** What a start takes, what is needed at rest, and how large everything is. */
export async function measureFootprint(
  { rounds }: { readonly rounds: number },
  report: Report,
): Promise<void> {
  const cache = await mkdtemp(join(tmpdir(), "compile-cache-"));
  try {
    const answered = await firstAnswers(rounds, cache, report);
    const atRest = await realStarts(rounds, report);
    const bundled = await sizes(report);
    await report.table("footprint-targets", "targets, and the limits that they come from", [
      ["Target, and the limit that it comes from", MEASURED],
      ...targets({ answered, atRest, bundled }),
    ]);
  } finally {
    await rm(cache, { recursive: true, force: true });
  }
}

/** Milliseconds, MiB by program, and MB. */
interface Footprint {
  readonly answered: number;
  readonly atRest: ReadonlyMap<string, number>;
  readonly bundled: number;
}

function targets({ answered, atRest, bundled }: Footprint): string[][] {
  return [
    judged({
      target:
        "first answer within 250 ms: a bare server needs 75, and compiling what is used of the bundle 100",
      measured: [{ where: "", value: answered }],
      isMet: (ms) => ms <= 250,
      write: (ms) => `${figure(ms)} ms`,
    }),
    judged({
      target: "100 MiB at rest: Node 45, TLS and HTTP 15, the program 30",
      measured: [...atRest].map(([where, value]) => ({ where, value })),
      isMet: (mib) => mib <= 100,
      write: (mib) => `${figure(mib)} MiB`,
    }),
    judged({
      target: "beside Node, a program of 5 MB in the image",
      measured: [{ where: "", value: bundled }],
      isMet: (mb) => mb <= 5,
      write: (mb) => `${figure(mb)} MB`,
    }),
  ];
}

/** A second start with a compile cache finds what the first one compiled. */
type Environment = Readonly<Record<string, string>>;

async function firstAnswers(rounds: number, cache: string, report: Report): Promise<number> {
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
  await report.table("first-answer", "cold start of the admission server alone", [
    ["", "first answer after ms"],
    ...[...measured].map(([name, all]) => [name, spread(all)]),
  ]);
  return median(measured.get("ours") ?? []);
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
async function realStarts(rounds: number, report: Report): Promise<ReadonlyMap<string, number>> {
  const cluster = await startCluster();
  try {
    const product = await installProduct(cluster);
    await product.stop();
    const webhook = await realStart(rounds, async () =>
      product.startReplica({ program: IMAGE, nodeFlags: WEBHOOK_OPTIONS }),
    );
    const controller = await realStart(rounds, async () =>
      product.startController({ program: IMAGE, nodeFlags: CONTROLLER_OPTIONS }),
    );
    const started = { webhook, controller };
    await report.table("starts", "start of the image's programs on a small cluster", [
      ["", "ready after ms", "memory at rest, MiB"],
      ...Object.entries(started).map(([name, { ms, rss }]) => [name, spread(ms), spread(rss)]),
    ]);
    return new Map(Object.entries(started).map(([name, { rss }]) => [name, median(rss)]));
  } finally {
    await cluster.stop();
  }
}

async function realStart(
  rounds: number,
  start: () => Promise<Process>,
): Promise<{ readonly ms: number[]; readonly rss: number[] }> {
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
  return { ms, rss };
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
async function sizes(report: Report): Promise<number> {
  const directory = await mkdtemp(join(tmpdir(), "image-"));
  try {
    await promisify(execFile)(process.execPath, ["bundle.ts", "src/main.ts", `--outdir=${directory}`]);
    const { packages } = Lock.parse(JSON.parse(readFileSync("package-lock.json", "utf8")));
    const production = Object.entries(packages).filter(
      ([path, { dev, optional }]) => path !== "" && !dev && !optional,
    );
    const files = production
      .flatMap(([path]) =>
        globSync(`${path}/**/*`).filter((file) => !file.slice(path.length).includes("node_modules")),
      )
      .filter((file) => statSync(file).isFile());
    const bundle = globSync(join(directory, "**/*.js"));
    await report.table("sizes", "what the image holds, and what it is made from", [
      ["", "files", "MB"],
      size("the bundle", bundle),
      size("its source maps", globSync(join(directory, "**/*.map"))),
      size(
        "licences",
        files.filter((file) => /\/licen[cs]e[^/]*$/i.test(file)),
      ),
      size(`${production.length} packages that it is made from`, files),
      size("Node, in the base image", [process.execPath]),
    ]);
    return megabytes(bundle);
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

function size(name: string, files: readonly string[]): string[] {
  return [name, figure(files.length), figure(megabytes(files))];
}

function megabytes(files: readonly string[]): number {
  return files.reduce((sum, file) => sum + statSync(file).size, 0) / 1e6;
}
