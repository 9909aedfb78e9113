import { writeFile } from "node:fs/promises";
import type { Cluster } from "../cluster/cluster.ts";
import { endure, measureAdmission } from "./admission.ts";
import { startApiServer } from "./api-server-alone.ts";
import { measureApiServer } from "./api-server.ts";
import { measureController } from "./controller/measure.ts";
import { drawCurves, exponents } from "./curves.ts";
import { print } from "./figures.ts";
import { measureFootprint } from "./footprint.ts";
import { takeApart } from "./parts.ts";
import { onProcessorsOfTheirOwn } from "./processors.ts";
import { buildGo, startControllerRuntime, startPepr } from "./peers.ts";
import { createReport } from "./report.ts";
import { startServer } from "./servers.ts";
import type { Server } from "./servers.ts";

/**
 * npm run bench: what the product costs, beside what others would build, in the same run. `-- quick` takes less of everything, and
 * its figures are worth less; `-- admission`, `-- api-server` and so on make the tables of one section alone; `-- parts` tells what
 * an admission costs without one of its parts; `-- write` writes tables and curves into the documents that show them.
 */
const QUICK = process.argv.includes("quick");
const WRITE = process.argv.includes("write");
const EFFORT = QUICK ? { seconds: 0.2, endurance: 100_000 } : { seconds: 0.25, endurance: 1_000_000 };

const report = createReport();
const SECTIONS: Readonly<Record<string, () => Promise<void>>> = {
  admission: async () =>
    withServers(async (_, servers) =>
      onProcessorsOfTheirOwn(servers, async () => measureAdmission(servers, EFFORT, report)),
    ),
  memory: async () => endure(EFFORT, report),
  "api-server": async () =>
    withServers(async (cluster, servers) => measureApiServer(cluster, servers, EFFORT, report)),
  controller,
  footprint: async () => {
    await endServers();
    await measureFootprint({ rounds: QUICK ? 1 : 5 }, report);
  },
};
/** Volumes, with ten retained snapshots each. */
const CONTROLLER = QUICK
  ? { sizes: [100, 300, 1_000], rounds: 1, restSeconds: 5 }
  : { sizes: [1_000, 5_000, 10_000], rounds: 5, restSeconds: 5 };
const ONLY_WHEN_ASKED: typeof SECTIONS = { parts: async () => takeApart(EFFORT, report) };

const begun = performance.now();
const known = { ...SECTIONS, ...ONLY_WHEN_ASKED };
const asked = Object.keys(known).filter((name) => process.argv.includes(name));
let started: Started | undefined;
try {
  for (const name of asked.length > 0 ? asked : Object.keys(SECTIONS)) {
    print(`\n=== ${name}, ${minutes()} minutes after the start`);
    await known[name]?.();
  }
} finally {
  await endServers();
}
if (WRITE) await report.writeInto(["docs/performance.md", "docs/scale.md"]);
print(`\nall of it took ${minutes()} minutes`);

function minutes(): string {
  return ((performance.now() - begun) / 60_000).toFixed(1);
}

async function controller(): Promise<void> {
  await endServers();
  const measured = await measureController(CONTROLLER, await buildGo(print), report);
  report.lines("growth", exponents(measured));
  const picture = WRITE ? "docs/images/scale.svg" : "dist/bench/curves.svg";
  await writeFile(picture, drawCurves(measured));
  print(`drawn: ${picture}`);
}

/** With our own servers and those of others, on a cluster with nothing but the API server; the next section that needs them has the same. */
async function withServers(
  measure: (cluster: Cluster, servers: readonly Server[]) => Promise<void>,
): Promise<void> {
  started ??= await startServers();
  await measure(started.cluster, started.servers);
}

interface Started {
  readonly cluster: Cluster;
  readonly servers: readonly Server[];
}

async function startServers(): Promise<Started> {
  const programs = await buildGo(print);
  const cluster = await startApiServer();
  const servers: Server[] = [];
  started = { cluster, servers };
  for (const name of ["bare", "ours"]) servers.push(await startServer(name));
  for (const form of ["usual", "thin"] as const) servers.push(await startControllerRuntime(form, programs));
  // Pepr keeps its store in the cluster.
  servers.push(await startPepr(cluster));
  return started;
}

async function endServers(): Promise<void> {
  await Promise.all((started?.servers ?? []).map(async (server) => server.stop()));
  await started?.cluster.stop();
  started = undefined;
}
