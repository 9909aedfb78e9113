import { compareAnswers } from "./answers.ts";
import { BODIES } from "./bodies.ts";
import { print, row } from "./figures.ts";
import { runLoad } from "./load.ts";
import { onProcessorsOfTheirOwn } from "./processors.ts";
import { assertAllAnswered, compare } from "./rounds.ts";
import { startServer } from "./servers.ts";
import type { Server } from "./servers.ts";

/** How thorough to be. */
export interface Effort {
  /** Of each round. */
  readonly seconds: number;
  /** Requests for which memory is watched. */
  readonly endurance: number;
}

/** Of usual length. */
const USUAL = ["VolumeSnapshotContent", "Backup"];
/** Before anything is measured: V8 has then optimised what the servers run. */
const WARM_UP_SECONDS = 1;

/** What an admission costs, beside what others would build; each server is asked for all loads in turn. */
export async function measureAdmission(servers: readonly Server[], { seconds }: Effort): Promise<void> {
  for (const [kind, bodies] of Object.entries(BODIES)) {
    await compareAnswers(servers, kind, bodies[0] ?? "");
    await warmUp(servers, bodies);
    for (const connections of [1, 16, 64]) {
      const title = `${kind}, ${connections} connection${connections === 1 ? "" : "s"}, as fast as it answers`;
      await compare(servers, { title, bodies, connections, seconds });
    }
    await watchLoops(servers, { kind, bodies, seconds });
  }
  const ofNode = servers.filter(({ name }) => name === "bare" || name === "ours");
  for (const kind of USUAL) {
    const title = `${kind}, 16 connections, 1,000 requests a second`;
    await compare(ofNode, {
      title,
      bodies: BODIES[kind] ?? [],
      connections: 16,
      seconds: 2 * seconds,
      rate: 1_000,
    });
  }
}

/** How long a server was deaf at most; a machine with other work adds its own pauses to it. */
async function watchLoops(
  servers: readonly Server[],
  { kind, bodies, seconds }: { kind: string; bodies: readonly string[]; seconds: number },
): Promise<void> {
  print(`\n${kind}, 16 connections, as fast as it answers: longest time that the event loop was blocked`);
  for (const server of servers) {
    await server.watch();
    assertAllAnswered(await runLoad({ to: server, bodies, connections: 16, seconds }), server);
    const { blockedMs } = await server.usage();
    if (blockedMs !== undefined) print(row([server.name, `${blockedMs.toFixed(1)} ms`]));
  }
}

/** "undecided" answers every request that there is no policy yet; "unreported" has no metrics and no log. */
export async function takeApart({ seconds }: Effort): Promise<void> {
  const servers = await Promise.all(["bare", "undecided", "unreported", "ours"].map(startServer));
  await onProcessorsOfTheirOwn(servers, async () => {
    for (const kind of USUAL) {
      const bodies = BODIES[kind] ?? [];
      await warmUp(servers, bodies);
      const title = `${kind}, 16 connections, as fast as it answers`;
      await compare(servers, { title, bodies, connections: 16, seconds });
    }
  });
  await Promise.all(servers.map(async (server) => server.stop()));
}

async function warmUp(servers: readonly Server[], bodies: readonly string[]): Promise<void> {
  for (const server of servers) {
    await runLoad({ to: server, bodies, connections: 16, seconds: WARM_UP_SECONDS });
  }
}

/** Memory after many requests, in a server of its own: it must end where it was, not climb. */
export async function endure({ endurance }: Effort): Promise<void> {
  const bodies = BODIES["VolumeSnapshotContent"] ?? [];
  print(`\nmemory over ${endurance.toLocaleString("en")} VolumeSnapshotContent reviews, 16 connections`);
  print(row(["", "at start", "25 %", "50 %", "75 %", "100 %"]));
  const server = await startServer("ours");
  const memory = [(await server.usage()).rssMiB];
  for (let part = 0; part < 4; part += 1) {
    const load = await runLoad({ to: server, bodies, connections: 16, requests: endurance / 4 });
    assertAllAnswered(load, server);
    memory.push((await server.usage()).rssMiB);
  }
  print(row([server.name, ...memory.map((mib) => `${mib.toFixed(0)} MiB`)]));
  await server.stop();
}
