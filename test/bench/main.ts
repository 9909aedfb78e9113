import { writeFile } from "node:fs/promises";
import type { Cluster } from "../cluster/cluster.ts";
import { endure, measureAdmission, takeApart } from "./admission.ts";
import { startApiServer } from "./api-server-alone.ts";
import { measureApiServer } from "./api-server.ts";
import { measureController } from "./controller/measure.ts";
import type { ControllerEffort } from "./controller/measure.ts";
import { drawCurves, exponents } from "./curves.ts";
import { print } from "./figures.ts";
import { measureFootprint } from "./footprint.ts";
import { onProcessorsOfTheirOwn } from "./processors.ts";
import { buildGo, startControllerRuntime, startPepr } from "./peers.ts";
import { startServer } from "./servers.ts";
import type { Server } from "./servers.ts";

/**
 * npm run bench: what the product costs, beside what others would build, in the same run. `-- quick` takes less of everything, and
 * its figures are worth less; `-- admission`, `-- api-server` and so on make the tables of one section alone; `-- parts` tells what
 * an admission costs without one of its parts.
 */
const QUICK = process.argv.includes("quick");
const EFFORT = QUICK ? { seconds: 0.3, endurance: 100_000 } : { seconds: 0.45, endurance: 1_000_000 };

const SECTIONS: Readonly<Record<string, () => Promise<void>>> = {
  admission: async () =>
    withServers(["thin", "bare", "ours"], async (_, servers) =>
      onProcessorsOfTheirOwn(servers, async () => measureAdmission(servers, EFFORT)),
    ),
  memory: async () => endure(EFFORT),
  "api-server": async () =>
    withServers(["bare", "ours"], async (cluster, servers) => measureApiServer(cluster, servers, EFFORT)),
  controller,
  footprint: async () => measureFootprint({ rounds: QUICK ? 1 : 5 }),
};
const CONTROLLER = QUICK
  ? { sizes: [size(100, 1), size(300, 1), size(1_000, 1)], restSeconds: 5 }
  : { sizes: [size(1_000, 5), size(5_000, 3), size(10_000, 1)], restSeconds: 10 };
const ONLY_WHEN_ASKED: typeof SECTIONS = { parts: async () => takeApart(EFFORT) };

/** The larger, the longer, and the less it varies. */
function size(volumes: number, rounds: number): ControllerEffort["sizes"][number] {
  return { volumes, rounds };
}

const begun = performance.now();
const known = { ...SECTIONS, ...ONLY_WHEN_ASKED };
const asked = Object.keys(known).filter((name) => process.argv.includes(name));
for (const name of asked.length > 0 ? asked : Object.keys(SECTIONS)) {
  print(`\n=== ${name}`);
  await known[name]?.();
}
print(`\nall of it took ${((performance.now() - begun) / 60_000).toFixed(1)} minutes`);

async function controller(): Promise<void> {
  const measured = await measureController(CONTROLLER, await buildGo(print));
  print("\nhow cost grows with the number n of objects");
  for (const line of exponents(measured)) print(line);
  const picture = process.env["CURVES"] ?? "dist/bench/curves.svg";
  await writeFile(picture, drawCurves(measured));
  print(`drawn: ${picture}`);
}

/** Our own servers by their names, and those of others, on a cluster with nothing but the API server. */
async function withServers(
  names: readonly string[],
  measure: (cluster: Cluster, servers: readonly Server[]) => Promise<void>,
): Promise<void> {
  const programs = await buildGo(print);
  const cluster = await startApiServer();
  const servers: Server[] = [];
  try {
    for (const name of names) servers.push(await startServer(name));
    for (const form of ["usual", "thin"] as const) servers.push(await startControllerRuntime(form, programs));
    // Pepr keeps its store in the cluster.
    servers.push(await startPepr(cluster));
    await measure(cluster, servers);
  } finally {
    await Promise.all(servers.map(async (server) => server.stop()));
    await cluster.stop();
  }
}
