import { percentile } from "./figures.ts";
import { runLoad } from "./load.ts";
import type { Load, LoadOptions } from "./load.ts";
import type { Server } from "./servers.ts";

const ROUNDS = 5;
/** Before anything is measured: V8 has then optimised what the servers run. */
const WARM_UP_SECONDS = 1.5;

/** Puts load on one server after another, of which nothing is measured. */
export async function warmUp(servers: readonly Server[], bodies: readonly string[]): Promise<void> {
  for (const server of servers) {
    await runLoad({ to: server, bodies, connections: 16, seconds: WARM_UP_SECONDS });
  }
}

/** What one server came to in one round. */
export interface Round {
  /** Requests a second. */
  readonly rate: number;
  /** Milliseconds. */
  readonly p50: number;
  readonly p99: number;
  /** Processor time of a request. */
  readonly cpuMicros: number;
  readonly rssMiB: number;
}

/** The rounds of each server by its name, in the order of the rounds. */
export type Rounds = ReadonlyMap<string, readonly Round[]>;

/** Puts the same load on one server after another, several times; they should be warm. */
export async function compare(servers: readonly Server[], load: Omit<LoadOptions, "to">): Promise<Rounds> {
  return inRounds(servers, async (server) => measure(server, load));
}

/** Measures one server after another, several times: what each came to by its name, in the order of the rounds. */
export async function inRounds<T>(
  servers: readonly Server[],
  measureOne: (server: Server) => Promise<T>,
): Promise<ReadonlyMap<string, readonly T[]>> {
  const rounds = new Map<string, T[]>(servers.map(({ name }) => [name, []]));
  for (let round = 0; round < ROUNDS; round += 1) {
    for (const server of servers) rounds.get(server.name)?.push(await measureOne(server));
  }
  return rounds;
}

/** One figure of a server, round by round. */
export function each(rounds: Rounds, server: string, figure: keyof Round): number[] {
  return (rounds.get(server) ?? []).map((round) => round[figure]);
}

/** The product's figure in proportion to another's of the same round, round by round. */
export function proportions(rounds: Rounds, other: string, figure: keyof Round): number[] {
  const theirs = each(rounds, other, figure);
  return each(rounds, "ours", figure).map((value, round) => value / (theirs[round] ?? NaN));
}

async function measure(server: Server, load: Omit<LoadOptions, "to">): Promise<Round> {
  const before = await server.usage();
  const result = await runLoad({ to: server, ...load });
  const after = await server.usage();
  assertAllAnswered(result, server);
  return {
    rate: result.requests / result.seconds,
    p50: percentile(result.latencies, 0.5),
    p99: percentile(result.latencies, 0.99),
    cpuMicros: ((after.cpuSeconds - before.cpuSeconds) * 1e6) / result.requests,
    rssMiB: after.rssMiB,
  };
}

/** Throws where an answer was missing, or was not one that allows. */
export function assertAllAnswered(load: Load, server: Server): void {
  if (load.failures > 0) {
    throw new Error(
      `${server.name}: ${load.failures} of ${load.requests} requests were not answered with allowed: true`,
    );
  }
}
