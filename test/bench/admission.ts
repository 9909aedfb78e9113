import {
  costsTable,
  isOfNode,
  proportionsTable,
  ratesTable,
  steadyTable,
  targetsTable,
} from "./admission-tables.ts";
import type { Case } from "./admission-tables.ts";
import { compareAnswers } from "./answers.ts";
import { BODIES } from "./bodies.ts";
import { figure, print } from "./figures.ts";
import { runLoad } from "./load.ts";
import { MEASURED } from "./report.ts";
import type { Report } from "./report.ts";
import { assertAllAnswered, compare, warmUp } from "./rounds.ts";
import { startServer } from "./servers.ts";
import type { Server } from "./servers.ts";
import { judged } from "./targets.ts";

/** How thorough to be. */
export interface Effort {
  /** Of each round. */
  readonly seconds: number;
  /** Requests for which memory is watched. */
  readonly endurance: number;
}

/** Of usual length. */
const USUAL = ["VolumeSnapshotContent", "Backup"];
const CONNECTIONS = [1, 16, 64];
const USUAL_CONNECTIONS = 16;
/** A second, evenly spread: as a busy API server sends them. */
const STEADY_RATE = 1_000;

/** What an admission costs, beside what others would build; each server is asked for all loads in turn. */
export async function measureAdmission(
  servers: readonly Server[],
  { seconds }: Effort,
  report: Report,
): Promise<void> {
  const cases: Case[] = [];
  const watched: Watched[] = [];
  for (const [body, bodies] of Object.entries(BODIES)) {
    await compareAnswers(servers, body, bodies[0] ?? "");
    await warmUp(servers, bodies);
    for (const connections of CONNECTIONS) {
      print(`${body}, ${connections} connection${connections === 1 ? "" : "s"}`);
      const rounds = await compare(servers, { bodies, connections, seconds });
      cases.push({ body, connections, rounds });
      if (connections === USUAL_CONNECTIONS) {
        watched.push(...(await watch(servers.filter(isOfNode), { body, connections, bodies, seconds })));
      }
    }
  }
  await report.table("admission-rates", "requests a second, as fast as they are answered", ratesTable(cases));
  await report.table("admission-proportions", "ours in proportion", proportionsTable(cases));
  const [costs] = cases.filter(({ body, connections }) => body === USUAL[0] && connections === 16);
  if (costs !== undefined) await report.table("admission-costs", "what a request costs", costsTable(costs));
  const steady: Case[] = [];
  for (const body of USUAL) {
    const load = { bodies: BODIES[body] ?? [], connections: 16, seconds: 2 * seconds, rate: STEADY_RATE };
    steady.push({ body, connections: 16, rounds: await compare(servers.filter(isOfNode), load) });
  }
  await report.table("admission-steady", "at 1,000 requests a second, 16 connections", steadyTable(steady));
  await report.table("admission-watched", "event loop and garbage", watchedTable(watched));
  await report.table("admission-targets", "targets", [...targetsTable(cases), loopTarget(watched)]);
}

/** What became of a server's one thread. */
interface Watched {
  readonly body: string;
  readonly connections: number;
  readonly server: string;
  /** How long it was deaf at most; a machine with other work adds its own pauses to it. */
  readonly blockedMs: number;
  /** Collections of all garbage for a thousand requests, and how long they took in sum. */
  readonly collections: number;
  readonly collectionsMs: number;
}

async function watch(
  servers: readonly Server[],
  { body, connections, bodies, seconds }: Pick<Watched, "body" | "connections"> & Loaded,
): Promise<Watched[]> {
  const watched: Watched[] = [];
  for (const server of servers) {
    await server.watch("loop");
    const load = await runLoad({ to: server, bodies, connections, seconds: WATCHED_ROUNDS * seconds });
    assertAllAnswered(load, server);
    const { blockedMs = NaN, collections = NaN, collectionsMs = NaN } = await server.usage();
    const thousands = load.requests / 1_000;
    watched.push({
      body,
      connections,
      server: server.name,
      blockedMs,
      collections: collections / thousands,
      collectionsMs: collectionsMs / thousands,
    });
  }
  return watched;
}

interface Loaded {
  readonly bodies: readonly string[];
  readonly seconds: number;
}

/** Longer than a round: a collection of everything may be due once in seconds. */
const WATCHED_ROUNDS = 2;

function watchedTable(watched: readonly Watched[]): string[][] {
  const heads = ["blocked at most, ms", "collections of everything for 1,000 requests", "their time, ms"];
  const rows = watched.map(({ body, connections, server, ...figures }) => [
    `${body}, ${connections}, ${server}`,
    ...[figures.blockedMs, figures.collections, figures.collectionsMs].map(figure),
  ]);
  return [["body, connections, server", ...heads], ...rows];
}

function loopTarget(watched: readonly Watched[]): string[] {
  return judged({
    target: "the event loop never blocked over 10 ms",
    measured: watched
      .filter(({ server }) => server === "ours")
      .map(({ body, connections, blockedMs }) => ({ where: `${body}, ${connections}`, value: blockedMs })),
    isMet: (ms) => ms <= 10,
    write: (ms) => `${figure(ms)} ms`,
  });
}

/** Memory after many requests, in a server of its own: it must end where it was, not climb. */
export async function endure({ endurance }: Effort, report: Report): Promise<void> {
  const bodies = BODIES["VolumeSnapshotContent"] ?? [];
  const server = await startServer("ours");
  const memory = [(await server.usage()).rssMiB];
  for (let part = 0; part < 4; part += 1) {
    const load = await runLoad({ to: server, bodies, connections: 16, requests: endurance / 4 });
    assertAllAnswered(load, server);
    memory.push((await server.usage()).rssMiB);
  }
  await server.stop();
  const requests = endurance.toLocaleString("en");
  await report.table("memory", `memory over ${requests} VolumeSnapshotContents, 16 connections`, [
    [`requests of ${requests}`, "none", "a quarter", "half", "three quarters", "all"],
    ["ours, MiB", ...memory.map(figure)],
  ]);
  const target = {
    target: `125 MiB after ${requests} requests`,
    measured: [{ where: "", value: memory.at(-1) ?? NaN }],
    isMet: (mib: number) => mib <= 125,
    write: (mib: number) => `${figure(mib)} MiB`,
  };
  await report.table("memory-target", "target", [["Target", MEASURED], judged(target)]);
}
