import type { Synced } from "./controller/programs.ts";
import type { AtSize } from "./controller/tables.ts";
import { median } from "./figures.ts";

/** One quantity over the number of objects, for each program. */
interface Curve {
  readonly title: string;
  readonly unit: string;
  readonly lines: ReadonlyMap<string, readonly Point[]>;
}

interface Point {
  readonly x: number;
  readonly y: number;
}

const WIDTH = 460;
const HEIGHT = 320;
const MARGIN = { left: 64, right: 150, top: 40, bottom: 44 };
/** Told apart in black and white, too: each line has its mark. */
const COLOURS = ["#8a8a8a", "#1b6ca8", "#c4501b", "#17803d"];
const MARKS = ["○", "△", "□", "●"];

/** How cost grows with the cluster, as a picture: both axes are logarithmic, so that a straight line's slope is the exponent. */
export function drawCurves(measured: readonly AtSize[]): string {
  const curves = curvesOf(measured);
  const panels = curves.map((curve, index) => panel(curve, index * (WIDTH + 20)));
  const width = curves.length * (WIDTH + 20);
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${HEIGHT}" viewBox="0 0 ${width} ${HEIGHT}" font-family="sans-serif" font-size="12" role="img" aria-label="Time to be in sync, memory and time of a plan over the number of objects">`,
    `<rect width="100%" height="100%" fill="#fff"/>`,
    ...panels,
    "</svg>\n",
  ].join("\n");
}

/** `name: exponent` of every line of every curve. */
export function exponents(measured: readonly AtSize[]): string[] {
  return curvesOf(measured).map(
    ({ title, lines }) =>
      `${title}: ${[...lines].map(([name, points]) => `${name} n^${exponent(points).toFixed(2)}`).join(", ")}`,
  );
}

function curvesOf(measured: readonly AtSize[]): Curve[] {
  const names = [...(measured[0]?.programs.keys() ?? [])];
  function lines(key: keyof Synced): Map<string, Point[]> {
    return new Map(
      names.map((name) => [
        name,
        measured.map(({ objects, programs }) => ({
          x: objects,
          y: median((programs.get(name) ?? []).map((one) => one[key])),
        })),
      ]),
    );
  }
  return [
    { title: "in sync after", unit: "s", lines: lines("seconds") },
    { title: "memory", unit: "MiB", lines: lines("rssMiB") },
    {
      title: "a plan of everything",
      unit: "ms",
      lines: new Map([["ours", measured.map(({ objects, planMs }) => ({ x: objects, y: planMs }))]]),
    },
  ];
}

/** The slope of the line through the points' logarithms, by least squares. */
function exponent(points: readonly Point[]): number {
  const logs = points.map(({ x, y }) => ({ x: Math.log(x), y: Math.log(y) }));
  const meanX = mean(logs.map(({ x }) => x));
  const meanY = mean(logs.map(({ y }) => y));
  const covariance = logs.reduce((sum, { x, y }) => sum + (x - meanX) * (y - meanY), 0);
  return covariance / logs.reduce((sum, { x }) => sum + (x - meanX) ** 2, 0);
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

function panel({ title, unit, lines }: Curve, left: number): string {
  const points = [...lines.values()].flat();
  const x = scale(
    points.map((point) => point.x),
    MARGIN.left,
    WIDTH - MARGIN.right,
  );
  const y = scale(
    points.map((point) => point.y),
    HEIGHT - MARGIN.bottom,
    MARGIN.top,
  );
  const drawn = [...lines].map(([name, line], index) => {
    const all = lines.size === 1 ? COLOURS.length - 1 : index;
    const [colour, mark] = [COLOURS[all % COLOURS.length] ?? "#000", MARKS[all % MARKS.length] ?? "x"];
    const path = line.map((point) => `${x.at(point.x).toFixed(1)},${y.at(point.y).toFixed(1)}`).join(" ");
    const marks = line.map(
      (point) =>
        `<text x="${x.at(point.x).toFixed(1)}" y="${(y.at(point.y) + 4).toFixed(1)}" fill="${colour}" text-anchor="middle">${mark}</text>`,
    );
    const label = `<text x="${WIDTH - MARGIN.right + 12}" y="${MARGIN.top + 10 + index * 18}" fill="${colour}">${mark} ${name}</text>`;
    return `<polyline points="${path}" fill="none" stroke="${colour}" stroke-width="1.5"/>${marks.join("")}${label}`;
  });
  const xTicks = x.ticks.map(
    (tick) =>
      `<text x="${x.at(tick)}" y="${HEIGHT - MARGIN.bottom + 16}" text-anchor="middle" fill="#444">${short(tick)}</text><line x1="${x.at(tick)}" x2="${x.at(tick)}" y1="${MARGIN.top}" y2="${HEIGHT - MARGIN.bottom}" stroke="#e4e4e4"/>`,
  );
  const yTicks = y.ticks.map(
    (tick) =>
      `<text x="${MARGIN.left - 8}" y="${y.at(tick) + 4}" text-anchor="end" fill="#444">${short(tick)}</text><line x1="${MARGIN.left}" x2="${WIDTH - MARGIN.right}" y1="${y.at(tick)}" y2="${y.at(tick)}" stroke="#e4e4e4"/>`,
  );
  const heading = `<text x="${MARGIN.left}" y="20" font-weight="bold">${title}, ${unit}</text>`;
  const axis = `<text x="${(MARGIN.left + WIDTH - MARGIN.right) / 2}" y="${HEIGHT - 8}" text-anchor="middle" fill="#444">objects</text>`;
  return `<g transform="translate(${left} 0)">${heading}${axis}${xTicks.join("")}${yTicks.join("")}${drawn.join("")}</g>`;
}

interface Scale {
  readonly ticks: readonly number[];
  at(value: number): number;
}

/** Logarithmic, from below the least to above the greatest; ticks at 1, 2 and 5 of each power of ten. */
function scale(values: readonly number[], from: number, to: number): Scale {
  const [least, most] = [Math.log10(Math.min(...values) * 0.8), Math.log10(Math.max(...values) * 1.25)];
  const powers = Array.from({ length: 12 }, (_, index) => index - 4);
  const ticks = powers
    .flatMap((power) => [1, 2, 5].map((step) => step * 10 ** power))
    .filter((tick) => Math.log10(tick) >= least && Math.log10(tick) <= most);
  return { ticks, at: (value) => from + ((Math.log10(value) - least) / (most - least)) * (to - from) };
}

function short(value: number): string {
  return value >= 1000 ? `${value / 1000}k` : String(Number(value.toPrecision(2)));
}
