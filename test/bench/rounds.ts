import { median, percentile, print, row, spread } from "./figures.ts";
import { runLoad } from "./load.ts";
import type { Load, LoadOptions } from "./load.ts";
import type { Server } from "./servers.ts";

const ROUNDS = 5;

/** The same load for each server. */
export interface Comparison extends Omit<LoadOptions, "port"> {
  readonly title: string;
}

interface Round {
  readonly rate: number;
  readonly p50: number;
  readonly p99: number;
  readonly cpuMicros: number;
}

/** Puts the load on one server after another, several times, and prints medians with their spread. */
export async function compare(servers: readonly Server[], { title, ...load }: Comparison): Promise<void> {
  const rounds = new Map<string, Round[]>(servers.map(({ name }) => [name, []]));
  for (let round = 0; round <= ROUNDS; round += 1) {
    for (const server of servers) {
      const measured = await measure(server, load);
      // The first round only warms them up.
      if (round > 0) {
        rounds.get(server.name)?.push(measured);
      }
    }
  }
  print(`\n${title} (median of ${ROUNDS} rounds, least to most in brackets)`);
  print(row(["", "requests/s", "p50 ms", "p99 ms", "CPU µs"]));
  for (const [name, measured] of rounds) {
    const cells = (["rate", "p50", "p99", "cpuMicros"] as const).map((key) =>
      spread(measured.map((one) => one[key])),
    );
    print(row([name, ...cells]));
  }
  printRatio([...rounds.values()]);
}

/** Of the last server to the first. */
function printRatio(rounds: readonly (readonly Round[])[]): void {
  const [bare = [], ours = []] = [rounds[0], rounds.at(-1)];
  const ratio = median(ours.map(({ rate }) => rate)) / median(bare.map(({ rate }) => rate));
  const cpu = median(ours.map(({ cpuMicros }) => cpuMicros)) / median(bare.map(({ cpuMicros }) => cpuMicros));
  print(`ours / bare: ${ratio.toFixed(2)} of the requests a second, ${cpu.toFixed(2)} of the CPU`);
}

async function measure(server: Server, load: Omit<LoadOptions, "port">): Promise<Round> {
  const before = await server.usage();
  const result = await runLoad({ port: server.port, ...load });
  const after = await server.usage();
  assertAllAnswered(result, server);
  return {
    rate: result.requests / result.seconds,
    p50: percentile(result.latencies, 0.5),
    p99: percentile(result.latencies, 0.99),
    cpuMicros: ((after.cpuSeconds - before.cpuSeconds) * 1e6) / result.requests,
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
