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

/** In minutes: how long all was well, how long it was not, and when is asked: the slowest alert is one after an hour, for half an hour. */
const BEFORE = 90;
const AFTER = 110;
const ASKED = 190;

/** What was scraped, and when, in seconds since 1970. */
export interface Observed {
  /** When all was well. */
  readonly well: Scrape;
  /** Long enough before `now` that a time which goes on went on. */
  readonly earlier: Scrape;
  readonly now: Scrape;
  readonly at: number;
}

/**
 * Whether an alert fires, by the real rules and promtool: for an hour and a half all was well, then it became as it is now and goes on
 * like that: a counter goes on to rise, a time stands still or goes on. Seconds since 1970 are moved to promtool's clock.
 */
export async function fires(
  {
    promtool,
    directory,
    rules,
  }: { readonly promtool: string; readonly directory: string; readonly rules: string },
  alert: string,
  observed: Observed,
): Promise<boolean> {
  const series = [...new Set([...observed.well.keys(), ...observed.now.keys()])]
    .filter(
      (name) =>
        name.startsWith("snapshot_retainer_") || name.startsWith("apiserver_admission_webhook_fail_open"),
    )
    .map((name) => ({ series: name, values: valuesOf(name, observed) }));
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

function valuesOf(name: string, observed: Observed): string {
  const [well, earlier, now] = [observed.well.get(name), observed.earlier.get(name), observed.now.get(name)];
  if (now === undefined) return `${well ?? 0}x${BEFORE}`;
  if (/_timestamp_seconds\{/.test(name)) {
    // As far from the moment of the change as it was from the scrape.
    const moved = now - observed.at + BEFORE * 60;
    if (/_(expiry|renewal)_/.test(name)) return `${moved}x${BEFORE + AFTER}`;
    const goesOn = earlier !== undefined && now > earlier;
    return goesOn ? `0+60x${BEFORE + AFTER}` : `0+60x${BEFORE} ${Math.min(moved, BEFORE * 60)}x${AFTER}`;
  }
  const isCounter = /(_total|_count|_rotations)\{/.test(name);
  const from = well ?? (isCounter ? 0 : now);
  const step = isCounter ? Math.max(0, now - from) : 0;
  return `${from}x${BEFORE} ${now}+${step}x${AFTER}`;
}
