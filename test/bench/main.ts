import { BODIES } from "./bodies.ts";
import { print, row } from "./figures.ts";
import { runLoad } from "./load.ts";
import { assertAllAnswered, compare } from "./rounds.ts";
import { startServer } from "./servers.ts";
import type { Server } from "./servers.ts";

/**
 * npm run bench: what one admission costs, beside a bare node:https handler in the same run. `-- quick` takes a fifth of
 * the requests; `-- parts` tells what it costs without one of its parts, instead.
 */
const QUICK = process.argv.includes("quick");
const REQUESTS = QUICK ? 4_000 : 20_000;
const ENDURANCE = QUICK ? 100_000 : 1_000_000;
/** Before anything is measured: V8 has then optimised what the servers run. */
const WARM_UP = 20_000;

await (process.argv.includes("parts")
  ? withServers(["bare", "undecided", "unreported", "ours"], takeApart)
  : withServers(["bare", "ours"], measureAll));

async function withServers(
  names: readonly string[],
  run: (servers: readonly Server[]) => Promise<void>,
): Promise<void> {
  const servers = await Promise.all(names.map(startServer));
  try {
    await run(servers);
  } finally {
    for (const server of servers) {
      server.stop();
    }
  }
}

async function measureAll(servers: readonly Server[]): Promise<void> {
  for (const [kind, bodies] of Object.entries(BODIES)) {
    await warmUp(servers, bodies);
    for (const connections of [1, 16, 64]) {
      const requests = connections === 1 ? REQUESTS / 4 : REQUESTS;
      const title = `${kind}, ${connections} connection${connections === 1 ? "" : "s"}, as fast as it answers`;
      await compare(servers, { title, bodies, connections, requests });
    }
    const title = `${kind}, 16 connections, 1,000 requests a second`;
    await compare(servers, { title, bodies, connections: 16, requests: REQUESTS / 4, rate: 1_000 });
  }
  await endure(servers);
}

/** "undecided" answers every request that there is no policy yet; "unreported" has no metrics and no log. */
async function takeApart(servers: readonly Server[]): Promise<void> {
  for (const [kind, bodies] of Object.entries(BODIES)) {
    await warmUp(servers, bodies);
    const title = `${kind}, 16 connections, as fast as it answers`;
    await compare(servers, { title, bodies, connections: 16, requests: REQUESTS });
  }
}

async function warmUp(servers: readonly Server[], bodies: readonly string[]): Promise<void> {
  for (const { port } of servers) {
    await runLoad({ port, bodies, connections: 16, requests: WARM_UP });
  }
}

/** Memory after many requests: it must end where it was, not climb. */
async function endure(servers: readonly Server[]): Promise<void> {
  const bodies = BODIES["VolumeSnapshotContent"] ?? [];
  print(`\nmemory over ${ENDURANCE.toLocaleString("en")} VolumeSnapshotContent reviews, 16 connections`);
  print(row(["", "at start", "25 %", "50 %", "75 %", "100 %"]));
  for (const server of servers) {
    const memory = [(await server.usage()).rssMiB];
    for (let part = 0; part < 4; part += 1) {
      const load = await runLoad({
        port: server.port,
        bodies,
        connections: 16,
        requests: ENDURANCE / 4,
      });
      assertAllAnswered(load, server);
      memory.push((await server.usage()).rssMiB);
    }
    print(row([server.name, ...memory.map((mib) => `${mib.toFixed(0)} MiB`)]));
  }
}
