import type { Effort } from "./admission.ts";
import { costsTable } from "./admission-tables.ts";
import { BODIES } from "./bodies.ts";
import { spreadTable } from "./figures.ts";
import { runLoad } from "./load.ts";
import type { LoadOptions } from "./load.ts";
import { onProcessorsOfTheirOwn } from "./processors.ts";
import type { Report } from "./report.ts";
import { assertAllAnswered, compare, inRounds, warmUp } from "./rounds.ts";
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
  await withServers(["ours", "of RSA"], "VolumeSnapshotContent", async (servers, bodies) => {
    const load = { bodies, connections: CONNECTIONS, seconds: 3 * seconds, anew: true };
    const body = "VolumeSnapshotContent, each on a new connection";
    const rounds = await compare(servers, load);
    await report.table("connections", body, costsTable({ body, connections: CONNECTIONS, rounds }));
  });
  for (const [body, names] of Object.entries(PARTS)) {
    await withServers(names, body, async (servers, bodies) => {
      const load = { bodies, connections: CONNECTIONS, seconds: 3 * seconds };
      const rounds = await compare(servers, load);
      const where = `${body}, ${CONNECTIONS}`;
      await report.table(`parts-${body}`, where, costsTable({ body, connections: CONNECTIONS, rounds }));
      const staged = await timeStages(
        servers.filter(({ name }) => name !== "floor"),
        load,
      );
      await report.table(`stages-${body}`, where, spreadTable(where, staged, STAGES));
    });
  }
}

const CONNECTIONS = 16;

/** With servers of these names, warm from these bodies; "of RSA" is ours with a serving certificate whose key is of RSA. */
async function withServers(
  names: readonly string[],
  body: string,
  run: (servers: readonly Server[], bodies: readonly string[]) => Promise<void>,
): Promise<void> {
  const servers = await Promise.all(names.map(startServer));
  const bodies = BODIES[body] ?? [];
  await onProcessorsOfTheirOwn(servers, async () => {
    await warmUp(servers, bodies);
    await run(servers, bodies);
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

async function timeStages(
  servers: readonly Server[],
  load: Omit<LoadOptions, "to">,
): Promise<ReadonlyMap<string, readonly Staged[]>> {
  // What times them is not optimised yet.
  for (const server of servers) await timeOnce(server, load);
  return inRounds(servers, async (server) => timeOnce(server, load));
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
