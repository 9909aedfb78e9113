import { fork } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { z } from "zod";
import { aHeld, someKeys } from "../certs/pair.ts";
import { BODIES } from "./bodies.ts";
import { runLoad } from "./load.ts";
import type { Load } from "./load.ts";

/**
 * npm run bench: what one admission costs, beside a bare node:https handler in the same run. Rounds of the two alternate,
 * medians are told with their spread. `npm run bench -- quick` takes a tenth of the requests.
 */
const QUICK = process.argv.includes("quick");
const ROUNDS = 5;
const REQUESTS = QUICK ? 4_000 : 20_000;
/** Before anything is measured: V8 has then optimised what both run. */
const WARM_UP = 20_000;
const ENDURANCE = QUICK ? 100_000 : 1_000_000;

const Usage = z.object({ cpuSeconds: z.number(), rssMiB: z.number() });
type Usage = z.infer<typeof Usage>;

interface Server {
  readonly name: string;
  readonly port: number;
  usage(): Promise<Usage>;
  stop(): void;
}

interface Round {
  readonly rate: number;
  readonly p50: number;
  readonly p99: number;
  readonly cpuMicros: number;
}

const servers = await Promise.all([start("bare"), start("ours")]);
try {
  for (const [kind, body] of Object.entries(BODIES)) {
    for (const { port } of servers) {
      await runLoad({ port, body, connections: 16, requests: WARM_UP });
    }
    for (const connections of [1, 16, 64]) {
      await compare(
        `${kind}, ${connections} connection${connections === 1 ? "" : "s"}, as fast as it answers`,
        { body, connections },
      );
    }
    await compare(`${kind}, 16 connections, 1,000 requests a second`, { body, connections: 16, rate: 1_000 });
  }
  await endure();
} finally {
  for (const server of servers) {
    server.stop();
  }
}

async function compare(
  title: string,
  load: { body: string; connections: number; rate?: number },
): Promise<void> {
  const rounds = new Map<string, Round[]>(servers.map(({ name }) => [name, []]));
  const requests = load.connections === 1 ? REQUESTS / 4 : load.rate === undefined ? REQUESTS : REQUESTS / 4;
  for (let round = 0; round <= ROUNDS; round += 1) {
    for (const server of servers) {
      const measured = await measure(server, { ...load, requests });
      // The first round only warms both up.
      if (round > 0) {
        rounds.get(server.name)?.push(measured);
      }
    }
  }
  print(`\n${title} (median of ${ROUNDS} rounds, least to most in brackets)`);
  print(row(["", "requests/s", "p50 ms", "p99 ms", "CPU µs"]));
  for (const [name, measured] of rounds) {
    print(
      row([
        name,
        ...(["rate", "p50", "p99", "cpuMicros"] as const).map((key) =>
          spread(measured.map((one) => one[key])),
        ),
      ]),
    );
  }
  const [bare = [], ours = []] = [...rounds.values()];
  const ratio = median(ours.map(({ rate }) => rate)) / median(bare.map(({ rate }) => rate));
  const cpu = median(ours.map(({ cpuMicros }) => cpuMicros)) / median(bare.map(({ cpuMicros }) => cpuMicros));
  print(`ours / bare: ${ratio.toFixed(2)} of the requests a second, ${cpu.toFixed(2)} of the CPU`);
}

async function measure(
  server: Server,
  load: { body: string; connections: number; requests: number; rate?: number },
): Promise<Round> {
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

/** Memory after many requests: it must end where it was, not climb. */
async function endure(): Promise<void> {
  const body = BODIES["VolumeSnapshotContent"] ?? "";
  print(`\nmemory over ${ENDURANCE.toLocaleString("en")} VolumeSnapshotContent reviews, 16 connections`);
  print(row(["", "at start", "25 %", "50 %", "75 %", "100 %"]));
  for (const server of servers) {
    const memory = [(await server.usage()).rssMiB];
    for (let part = 0; part < 4; part += 1) {
      const result = await runLoad({ port: server.port, body, connections: 16, requests: ENDURANCE / 4 });
      assertAllAnswered(result, server);
      memory.push((await server.usage()).rssMiB);
    }
    print(row([server.name, ...memory.map((mib) => `${mib.toFixed(0)} MiB`)]));
  }
}

function assertAllAnswered(load: Load, server: Server): void {
  if (load.failures > 0) {
    throw new Error(
      `${server.name}: ${load.failures} of ${load.requests} requests were not answered with allowed: true`,
    );
  }
}

async function start(name: string): Promise<Server> {
  // Compiled, and with the options of the image's entry point; the log goes where the kernel drops it.
  const child = fork(new URL("server.js", import.meta.url), [name], {
    stdio: ["ignore", "ignore", "ignore", "ipc"],
    execArgv: ["--max-semi-space-size=4"],
  });
  const { cert, key } = aHeld(await someKeys(), { names: ["127.0.0.1"], now: new Date() });
  child.send({ cert, key });
  const { port } = z.object({ port: z.number() }).parse(await nextMessage(child));
  return { name, port, usage: async () => ask(child), stop: () => child.kill() };
}

async function nextMessage(child: ChildProcess): Promise<unknown> {
  const [message] = z.array(z.unknown()).parse(await once(child, "message"));
  return message;
}

async function ask(child: ChildProcess): Promise<Usage> {
  const answer = nextMessage(child);
  child.send("usage");
  return Usage.parse(await answer);
}

function percentile(sorted: Float64Array, part: number): number {
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))] ?? 0;
}

function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? 0;
}

function spread(values: readonly number[]): string {
  const digits = median(values) >= 100 ? 0 : 2;
  const [least, middle, most] = [Math.min(...values), median(values), Math.max(...values)].map((value) =>
    value.toFixed(digits),
  );
  return `${middle} [${least}-${most}]`;
}

function row(cells: readonly string[]): string {
  return cells.map((cell, index) => (index === 0 ? cell.padEnd(6) : cell.padStart(22))).join("");
}

function print(line: string): void {
  process.stdout.write(`${line}\n`);
}
