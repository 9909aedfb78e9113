import { execFile } from "node:child_process";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { stringify } from "yaml";
import * as z from "zod";

const run = promisify(execFile);

/** All samples of a moment: metric and labels, as Prometheus writes them, and the value. */
export type Scrape = ReadonlyMap<string, number>;

/** Reads the text of /metrics; each sample gets the labels that Prometheus' own configuration would give it. */
export function parseScrape(text: string, pod: string): [string, number][] {
  return text.split("\n").flatMap((line): [string, number][] => {
    const [, name, labels = "", value] = /^(\w+)(?:\{(.*)\})? (\S+)$/.exec(line) ?? [];
    if (name === undefined) return [];
    const all = [labels, `namespace="snapshot-retainer"`, `pod="${pod}"`].filter((part) => part !== "");
    return [[`${name}{${all.join(",")}}`, Number(value)]];
  });
}

/** In minutes: how long it was as at first, and when is asked. */
const BEFORE = 90;
const ASKED = 170;

/**
 * Whether an alert fires, by the real rules and promtool: for an hour and a half all was as in `before`, then it became as in `after`
 * and goes on like that: a counter goes on to rise, a time stands still or goes on. Seconds since 1970 are moved to promtool's clock.
 */
export async function fires(
  {
    promtool,
    directory,
    rules,
  }: { readonly promtool: string; readonly directory: string; readonly rules: string },
  alert: string,
  { before, after, at }: { readonly before: Scrape; readonly after: Scrape; readonly at: number },
): Promise<boolean> {
  const series = [...new Set([...before.keys(), ...after.keys()])]
    .filter(
      (name) =>
        name.startsWith("snapshot_retainer_") || name.startsWith("apiserver_admission_webhook_fail_open"),
    )
    .map((name) => ({ series: name, values: valuesOf(name, before.get(name), after.get(name), at) }));
  const expr = `count(ALERTS{alertname="${alert}",alertstate="firing"}) or vector(0)`;
  const file = join(directory, "evaluation.yaml");
  const query = { expr, eval_time: `${ASKED}m`, exp_samples: [{ labels: "{}", value: 0 }] };
  const tests = [{ interval: "1m", input_series: series, promql_expr_test: [query] }];
  await writeFile(file, stringify({ rule_files: [rules], evaluation_interval: "1m", tests }));
  try {
    await run(promtool, ["test", "rules", file]);
    return false;
  } catch (error) {
    const { stderr } = z.object({ stderr: z.string() }).parse(error);
    if (/got: \{\} [1-9]/.test(stderr)) return true;
    throw error;
  }
}

function valuesOf(name: string, before: number | undefined, after: number | undefined, at: number): string {
  const isTime = /_timestamp_seconds\{/.test(name);
  const isCounter = /(_total|_count|_rotations)\{/.test(name);
  if (after === undefined) return `${before ?? 0}x${BEFORE}`;
  if (isTime) {
    // As far from now as it was from the scrape; a time that moved goes on to move.
    const moved = after - at + BEFORE * 60;
    const past = /_(expiry|renewal)_/.test(name) ? moved : undefined;
    if (past !== undefined) return `${past}x${2 * BEFORE}`;
    const moves = before !== undefined && after > before;
    return moves ? `0+60x${2 * BEFORE}` : `0+60x${BEFORE} ${Math.min(moved, BEFORE * 60)}x${BEFORE}`;
  }
  const from = before ?? (isCounter ? 0 : after);
  const step = isCounter ? Math.max(0, after - from) : 0;
  return `${from}x${BEFORE} ${after}+${step}x${BEFORE}`;
}
