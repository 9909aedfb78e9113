import { median, spread, spreadTable } from "./figures.ts";
import { MEASURED } from "./report.ts";
import { each, proportions } from "./rounds.ts";
import type { Rounds } from "./rounds.ts";
import { judged } from "./targets.ts";
import type { Target } from "./targets.ts";

/** One load, and what all servers came to with it. */
export interface Case {
  readonly body: string;
  readonly connections: number;
  readonly rounds: Rounds;
}

/** Whether a server can be asked how long its event loop was blocked, and is no other framework. */
export function isOfNode({ name }: { readonly name: string }): boolean {
  return name === "bare" || name === "ours";
}

const HEAD = "body, connections";

/** Requests a second of every server. */
export function ratesTable(cases: readonly Case[]): string[][] {
  const names = [...(cases[0]?.rounds.keys() ?? [])];
  const rows = cases.map((one) => [
    where(one),
    ...names.map((name) => spread(each(one.rounds, name, "rate"))),
  ]);
  return [[HEAD, ...names], ...rows];
}

/** What of ours is set beside what of whom: another server's figure of the same round. */
const PROPORTIONS = [
  {
    title: "of bare's requests/s",
    other: "bare",
    figure: "rate",
    isMet: (times) => times >= 0.9,
    target: "at least 0.9 of bare's requests a second",
  },
  {
    title: "of bare's CPU",
    other: "bare",
    figure: "cpuMicros",
    isMet: (times) => times <= 1.15,
    target: "at most 1.15 of bare's processor time",
  },
  {
    title: "of bare's p99",
    other: "bare",
    figure: "p99",
    isMet: (times) => times <= 2,
    target: "p99 at most twice bare's",
  },
  {
    title: "of controller-runtime",
    other: "controller-runtime",
    figure: "rate",
    isMet: (times) => times >= 3.5,
    target: "at least 3.5 times controller-runtime",
  },
  {
    title: "of its thin form",
    other: "controller-runtime thin",
    figure: "rate",
    isMet: (times) => times >= 1.6,
    target: "at least 1.6 times its thin form",
  },
  {
    title: "of Pepr",
    other: "pepr",
    figure: "rate",
    isMet: (times) => times >= 8,
    target: "at least 8 times Pepr",
  },
] as const satisfies readonly Proportion[];

interface Proportion extends Pick<Target, "target" | "isMet"> {
  readonly title: string;
  readonly other: string;
  readonly figure: "rate" | "cpuMicros" | "p99";
}

/** The product's figures in proportion to those of others. */
export function proportionsTable(cases: readonly Case[]): string[][] {
  const rows = cases.map((one) => [
    where(one),
    ...PROPORTIONS.map(({ other, figure }) => spread(proportions(one.rounds, other, figure))),
  ]);
  return [[HEAD, ...PROPORTIONS.map(({ title }) => title)], ...rows];
}

/** Whether each proportion is as it should be, in every case. */
export function targetsTable(cases: readonly Case[]): string[][] {
  const rows = PROPORTIONS.map(({ other, figure, target, isMet }) => {
    const measured = cases.map((one) => ({
      where: where(one),
      value: median(proportions(one.rounds, other, figure)),
    }));
    return judged({ target, measured, isMet });
  });
  return [["Target", MEASURED], ...rows];
}

/** All figures of one case. */
export function costsTable({ body, connections, rounds }: Case): string[][] {
  return spreadTable(`${body}, ${connections}`, rounds, COSTS);
}

const COSTS = [
  { title: "requests/s", figure: "rate" },
  { title: "CPU of a request, µs", figure: "cpuMicros" },
  { title: "p50, ms", figure: "p50" },
  { title: "p99, ms", figure: "p99" },
  { title: "memory, MiB", figure: "rssMiB" },
] as const;

/** Latencies where the load is not as much as a server takes. */
export function steadyTable(cases: readonly Case[]): string[][] {
  const rows = cases.flatMap(({ body, rounds }) =>
    [...rounds.keys()].map((name) => [
      `${body}, ${name}`,
      ...(["p50", "p99", "cpuMicros"] as const).map((figure) => spread(each(rounds, name, figure))),
    ]),
  );
  return [["", "p50, ms", "p99, ms", "CPU of a request, µs"], ...rows];
}

function where({ body, connections }: Case): string {
  return `${body}, ${connections}`;
}
