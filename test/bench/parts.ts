import type { Effort } from "./admission.ts";
import { costsTable } from "./admission-tables.ts";
import { BODIES } from "./bodies.ts";
import { spread } from "./figures.ts";
import { runLoad } from "./load.ts";
import type { LoadOptions } from "./load.ts";
import { onProcessorsOfTheirOwn } from "./processors.ts";
import type { Report } from "./report.ts";
import { assertAllAnswered, compare, ROUNDS, warmUp } from "./rounds.ts";
import { startServer } from "./servers.ts";
import type { Server } from "./servers.ts";

/**
 * "floor" is bare with no more of HTTP than these requests need; "slowed" is bare that waits for 10 µs, turning idly, before it answers;
 * "laden" is bare with as much in its heap as ours has, and nothing else of it; "undecided" answers every request that there is no
 * policy yet; "unreported" has no metrics and no log; "roomy" is ours whose heap may double between two collections.
 */
const PARTS: Readonly<Record<string, readonly string[]>> = {
  VolumeSnapshotContent: ["floor", "bare", "slowed", "undecided", "unreported", "ours"],
  Backup: ["floor", "bare", "slowed", "undecided", "unreported", "ours"],
  "Backup of 193 KB": ["bare", "laden", "ours", "roomy"],
};

/** What an admission costs without one of its parts, where its time goes, and what a new connection costs. */
export async function takeApart({ seconds }: Effort, report: Report): Promise<void> {
  await measureConnections({ seconds }, report);
  for (const [body, names] of Object.entries(PARTS)) {
    const servers = await Promise.all(names.map(startServer));
    await onProcessorsOfTheirOwn(servers, async () => {
      const load = { bodies: BODIES[body] ?? [], connections: 16, seconds: 3 * seconds };
      await warmUp(servers, load.bodies);
      const rounds = await compare(servers, load);
      const where = `${body}, ${load.connections}`;
      await report.table(`parts-${body}`, where, costsTable({ body, connections: load.connections, rounds }));
      const staged = servers.filter(({ name }) => name !== "floor");
      await report.table(`stages-${body}`, where, stagesTable(where, await timeStages(staged, load)));
    });
    await Promise.all(servers.map(async (server) => server.stop()));
  }
}

/** "of RSA" is ours with a serving certificate whose key is of RSA. */
async function measureConnections({ seconds }: Pick<Effort, "seconds">, report: Report): Promise<void> {
  const body = "VolumeSnapshotContent";
  const servers = await Promise.all(["ours", "of RSA"].map(startServer));
  await onProcessorsOfTheirOwn(servers, async () => {
    const load = { bodies: BODIES[body] ?? [], connections: 16, seconds: 3 * seconds };
    await warmUp(servers, load.bodies);
    const rounds = await compare(servers, { ...load, anew: true });
    const where = `${body}, each on a new connection`;
    await report.table(
      "connections",
      where,
      costsTable({ body: where, connections: load.connections, rounds }),
    );
  });
  await Promise.all(servers.map(async (server) => server.stop()));
}

/** One round of a server: microseconds of a request. */
interface Staged {
  readonly deciding: number;
  readonly answering: number;
  readonly reporting: number;
  /** Of its processor time, what is not in the stages: reading, decrypting and parsing what comes in, and waiting for it. */
  readonly rest: number;
  /** Of these four, in any of them. */
  readonly collecting: number;
  /** Of its processor time, wherever it was spent. */
  readonly kernel: number;
}

/** Its rounds by a server's name. */
type Stagings = ReadonlyMap<string, readonly Staged[]>;

async function timeStages(servers: readonly Server[], load: Omit<LoadOptions, "to">): Promise<Stagings> {
  const stagings = new Map<string, Staged[]>(servers.map(({ name }) => [name, []]));
  for (const server of servers) await timeOnce(server, load);
  for (let round = 0; round < ROUNDS; round += 1) {
    for (const server of servers) stagings.get(server.name)?.push(await timeOnce(server, load));
  }
  return stagings;
}

async function timeOnce(server: Server, load: Omit<LoadOptions, "to">): Promise<Staged> {
  const before = await server.usage();
  await server.watch("stages");
  const result = await runLoad({ to: server, ...load });
  const { cpuSeconds, kernelSeconds = NaN, collectedMs = NaN, stages } = await server.usage();
  assertAllAnswered(result, server);
  if (stages === undefined) throw new Error(`${server.name} timed no request`);
  const micros = 1e6 / result.requests;
  const { deciding, answering, reporting } = stages;
  return {
    ...stages,
    collecting: (collectedMs * 1000) / result.requests,
    rest: (cpuSeconds - before.cpuSeconds) * micros - deciding - answering - reporting,
    kernel: (kernelSeconds - (before.kernelSeconds ?? NaN)) * micros,
  };
}

const STAGES = [
  { title: "decided, µs", figure: "deciding" },
  { title: "answered, µs", figure: "answering" },
  { title: "reported, µs", figure: "reporting" },
  { title: "the rest, µs", figure: "rest" },
  { title: "of all, garbage, µs", figure: "collecting" },
  { title: "of all, in the kernel, µs", figure: "kernel" },
] as const;

function stagesTable(where: string, stagings: Stagings): string[][] {
  const rows = [...stagings].map(([name, rounds]) => [
    name,
    ...STAGES.map(({ figure }) => spread(rounds.map((round) => round[figure]))),
  ]);
  return [[where, ...STAGES.map(({ title }) => title)], ...rows];
}
