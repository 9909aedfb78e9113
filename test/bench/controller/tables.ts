import { figure, median, spread } from "../figures.ts";
import { MEASURED } from "../report.ts";
import { judged } from "../targets.ts";
import type { Synced } from "./programs.ts";

/** What was measured at one size: every round by program, and of ours what only it does. */
export interface AtSize {
  readonly snapshots: number;
  readonly objects: number;
  readonly programs: ReadonlyMap<string, readonly Synced[]>;
  /** Seconds from each start to the first decision. */
  readonly decided: readonly number[];
  /** Of one processor, in the seconds after a start in which nothing happens. */
  readonly restPercent: number;
  /** Objects or lists that were read meanwhile. */
  readonly restReads: number;
  readonly planMs: number;
  /** Milliseconds from each change to a plan that knows of it. */
  readonly reactions: readonly number[];
}

/** What every program came to at every size. */
export function syncTable(measured: readonly AtSize[]): string[][] {
  const rows = measured.flatMap(({ objects, programs }) =>
    [...programs].map(([name, all]) => [
      `${figure(objects)}, ${name}`,
      ...(["seconds", "rssMiB", "cpuSeconds", "readMiB"] as const).map((key) =>
        spread(all.map((one) => one[key])),
      ),
    ]),
  );
  return [["objects, program", "in sync after s", "memory, MiB", "CPU, s", "read, MiB"], ...rows];
}

/** What only ours does, at every size. */
export function aloneTable(measured: readonly AtSize[], restSeconds: number): string[][] {
  const rows: readonly [string, (at: AtSize) => string][] = [
    ["first decision after s", ({ decided }) => spread(decided)],
    ["a plan of the whole world, after a change, ms", ({ planMs }) => figure(planMs)],
    ["a plan that knows of a change, ms after it", ({ reactions }) => spread(reactions)],
    [`${restSeconds} s after the start, of one processor`, ({ restPercent }) => `${figure(restPercent)} %`],
    ["objects or lists read meanwhile", ({ restReads }) => figure(restReads)],
  ];
  const heads = ["snapshots", ...measured.map(({ snapshots }) => figure(snapshots))];
  return [heads, ...rows.map(([title, cell]) => [title, ...measured.map(cell)])];
}

const BEYOND = 1_000_000;

/** What grows with a cluster, and what would come of it beyond, by the last two sizes. */
export function scaleTable(measured: readonly AtSize[]): string[][] {
  const heads = ["retained snapshots", ...measured.map(({ snapshots }) => figure(snapshots))];
  const rows = SCALE.map(({ title, unit, valueOf, beyond }) => {
    const points = measured.map((at) => ({ x: at.snapshots, y: valueOf(at) }));
    return [
      title,
      ...[...points.map(({ y }) => y), beyond(points)].map((value) => `${figure(value)}${unit}`),
    ];
  });
  return [[...heads, `${figure(BEYOND)} (extrapolated)`], ...rows];
}

interface Point {
  readonly x: number;
  readonly y: number;
}

interface Scaled {
  readonly title: string;
  readonly unit: string;
  readonly valueOf: (at: AtSize) => number;
  readonly beyond: (points: readonly Point[]) => number;
}

const SCALE: readonly Scaled[] = [
  {
    title: "objects that the controller watches",
    unit: "",
    valueOf: ({ objects }) => objects,
    beyond: byLine,
  },
  { title: "in sync after", unit: " s", valueOf: (at) => ours(at, "seconds"), beyond: byPower },
  { title: "memory of the controller", unit: " MiB", valueOf: (at) => ours(at, "rssMiB"), beyond: byLine },
  { title: "a plan of everything", unit: " ms", valueOf: ({ planMs }) => planMs, beyond: byPower },
];

/** What has a fixed part, and grows by as much with each object. */
function byLine(points: readonly Point[]): number {
  const [before, last] = points.slice(-2);
  if (before === undefined || last === undefined) return NaN;
  return last.y + ((last.y - before.y) / (last.x - before.x)) * (BEYOND - last.x);
}

function byPower(points: readonly Point[]): number {
  const [before, last] = points.slice(-2);
  if (before === undefined || last === undefined) return NaN;
  return last.y * (BEYOND / last.x) ** (Math.log(last.y / before.y) / Math.log(last.x / before.x));
}

/** At 10,000, 50,000 and 100,000 snapshots; of a run without these sizes, nothing. */
export function targetsTable(measured: readonly AtSize[]): string[][] {
  const rows = TARGETS.flatMap(({ target, snapshots, most, unit, valueOf }) => {
    const at = measured.find((one) => one.snapshots === snapshots);
    if (at === undefined) return [];
    const value = valueOf(at);
    return [
      judged({
        target,
        measured: [{ where: "", value }],
        isMet: () => value <= most,
        write: () => `${figure(value)} ${unit}`,
      }),
    ];
  });
  return [["Target", MEASURED], ...rows, ...growth(measured)];
}

interface ControllerTarget {
  readonly target: string;
  readonly snapshots: number;
  readonly most: number;
  readonly unit: string;
  readonly valueOf: (at: AtSize) => number;
}

const TARGETS: readonly ControllerTarget[] = [
  {
    target: "50,000 in sync within 4 s",
    snapshots: 50_000,
    most: 4,
    unit: "s",
    valueOf: (at) => ours(at, "seconds"),
  },
  {
    target: "50,000 in 140 MiB",
    snapshots: 50_000,
    most: 140,
    unit: "MiB",
    valueOf: (at) => ours(at, "rssMiB"),
  },
  {
    target: "100,000 in 170 MiB",
    snapshots: 100_000,
    most: 170,
    unit: "MiB",
    valueOf: (at) => ours(at, "rssMiB"),
  },
  {
    target: "10,000: first decision within 5 s",
    snapshots: 10_000,
    most: 5,
    unit: "s",
    valueOf: (at) => median(at.decided),
  },
  {
    target: "10,000 in 150 MiB",
    snapshots: 10_000,
    most: 150,
    unit: "MiB",
    valueOf: (at) => ours(at, "rssMiB"),
  },
];

/** Between the smallest and the largest. */
function growth(measured: readonly AtSize[]): string[][] {
  const [first, last] = [measured[0], measured.at(-1)];
  if (first === undefined || last === undefined || first === last) return [];
  const bytes = (ours(last, "rssMiB") - ours(first, "rssMiB")) * 2 ** 20;
  return [
    judged({
      target: "memory grows by a few hundred bytes an object",
      measured: [{ where: "", value: bytes / (last.objects - first.objects) }],
      isMet: (value) => value <= 500,
      write: (value) => `${figure(value)} bytes`,
    }),
  ];
}

function ours({ programs }: AtSize, key: "seconds" | "rssMiB"): number {
  return median((programs.get("ours") ?? []).map((one) => one[key]));
}
