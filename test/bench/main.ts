import { compareAnswers } from "./answers.ts";
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
/** Of usual length. */
const USUAL = ["VolumeSnapshotContent", "Backup"];
/** Before anything is measured: V8 has then optimised what the servers run. */
const WARM_UP = 20_000;

await (process.argv.includes("parts")
  ? withServers(["bare", "undecided", "unreported", "ours"], takeApart)
  : measureAll());

async function measureAll(): Promise<void> {
  await withServers(["thin", "bare", "ours"], measureLoads);
  await withServers(["bare", "ours"], endure);
}

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

async function measureLoads(servers: readonly Server[]): Promise<void> {
  for (const [kind, bodies] of Object.entries(BODIES)) {
    await compareAnswers(servers, kind, bodies[0] ?? "");
    await warmUp(servers, bodies);
    const requests = isLarge(bodies) ? REQUESTS / 20 : REQUESTS;
    for (const connections of [1, 16, 64]) {
      const title = `${kind}, ${connections} connection${connections === 1 ? "" : "s"}, as fast as it answers`;
      await compare(servers, {
        title,
        bodies,
        connections,
        requests: connections === 1 ? requests / 4 : requests,
      });
    }
    await watchLoops(servers, { kind, bodies, requests });
  }
  for (const kind of USUAL) {
    const title = `${kind}, 16 connections, 1,000 requests a second`;
    const bodies = BODIES[kind] ?? [];
    await compare(servers.slice(1), { title, bodies, connections: 16, requests: REQUESTS / 4, rate: 1_000 });
  }
}

/** How long a server was deaf at most; a machine with other work adds its own pauses to it. */
async function watchLoops(
  servers: readonly Server[],
  { kind, bodies, requests }: { kind: string; bodies: readonly string[]; requests: number },
): Promise<void> {
  print(`\n${kind}, 16 connections, as fast as it answers: longest time that the event loop was blocked`);
  for (const server of servers) {
    await server.watch();
    assertAllAnswered(await runLoad({ port: server.port, bodies, connections: 16, requests }), server);
    print(row([server.name, `${(await server.usage()).blockedMs.toFixed(1)} ms`]));
  }
}

/** "undecided" answers every request that there is no policy yet; "unreported" has no metrics and no log. */
async function takeApart(servers: readonly Server[]): Promise<void> {
  for (const kind of USUAL) {
    const bodies = BODIES[kind] ?? [];
    await warmUp(servers, bodies);
    const title = `${kind}, 16 connections, as fast as it answers`;
    await compare(servers, { title, bodies, connections: 16, requests: REQUESTS });
  }
}

async function warmUp(servers: readonly Server[], bodies: readonly string[]): Promise<void> {
  const requests = isLarge(bodies) ? WARM_UP / 20 : WARM_UP;
  for (const { port } of servers) {
    await runLoad({ port, bodies, connections: 16, requests });
  }
}

/** What takes twenty times as long is asked a twentieth as often. */
function isLarge(bodies: readonly string[]): boolean {
  return (bodies[0] ?? "").length > 100_000;
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
