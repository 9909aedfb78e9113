import { median, percentile, print, row, spread } from "./figures.ts";
import { runLoad } from "./load.ts";
import type { Load, LoadOptions } from "./load.ts";
import type { Server } from "./servers.ts";

const ROUNDS = 5;

/** The same load for each server. */
export interface Comparison extends Omit<LoadOptions, "to"> {
  readonly title: string;
}

interface Round {
  readonly rate: number;
  readonly p50: number;
  readonly p99: number;
  readonly cpuMicros: number;
  readonly rssMiB: number;
}

const COLUMNS = {
  rate: "requests/s",
  p50: "p50 ms",
  p99: "p99 ms",
  cpuMicros: "CPU µs",
  rssMiB: "RSS MiB",
} as const;
const KEYS = ["rate", "p50", "p99", "cpuMicros", "rssMiB"] as const;

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
  print(row(["", ...KEYS.map((key) => COLUMNS[key])]));
  for (const [name, measured] of rounds) {
    print(row([name, ...KEYS.map((key) => spread(measured.map((one) => one[key])))]));
  }
  printRatios(rounds);
}

/** Of the product to each other. */
function printRatios(rounds: ReadonlyMap<string, readonly Round[]>): void {
  const ours = rounds.get("ours") ?? [];
  for (const [other, theirs] of rounds) {
    if (theirs === ours) continue;
    const [rate, cpu, p99] = (["rate", "cpuMicros", "p99"] as const).map((key) =>
      (median(ours.map((one) => one[key])) / median(theirs.map((one) => one[key]))).toFixed(2),
    );
    print(`ours / ${other}: ${rate} of the requests a second, ${cpu} of the CPU, ${p99} of the p99`);
  }
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
