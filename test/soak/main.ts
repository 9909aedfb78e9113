import { mkdtempSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { tmpdir } from "node:os";
import { parseArgs } from "node:util";
import { setTimeout as sleep } from "node:timers/promises";
import { BODIES } from "../bench/bodies.ts";
import { print } from "../bench/figures.ts";
import { runLoad } from "../bench/load.ts";
import { availableBinaries } from "../cluster/availability.ts";
import { startLoad } from "../e2e/load.ts";
import { startScene } from "../e2e/controller-scene.ts";
import { readMetric } from "../e2e/metrics.ts";
import type { Process, Product } from "../e2e/product.ts";
import { playBackups } from "./backups.ts";
import { judge, renderVerdicts, Sample } from "./samples.ts";
import type { Measured, Thresholds, Verdict } from "./samples.ts";

/**
 * `npm run soak`: a million admissions and a thousand backups on the real control plane, while certificates rotate, replicas and
 * controllers are restarted and the policy is edited; ends with what was kept of it, and with 1 where that is too much.
 */
const { values } = parseArgs({
  options: {
    admissions: { type: "string", default: "1000000" },
    backups: { type: "string", default: "1000" },
    rate: { type: "string", default: "1500" },
    volumes: { type: "string", default: "8" },
  },
});
const ADMISSIONS = Number(values.admissions);
const BACKUPS = Number(values.backups);
const RATE = Number(values.rate);

/** Between two certificates, two looks, two policies; and how many policies there are for each restart. */
const ROTATE = "20s";
const LOOK_MS = 5_000;
const EDIT_MS = 15_000;
const EDITS_A_RESTART = 3;
/** Admissions that are sent in one go. */
const CHUNK = 10_000;
/** As the image starts a webhook, and the chart a controller. */
const WEBHOOK_PROGRAM = {
  program: "dist/image/main.js",
  nodeFlags: [
    "--max-semi-space-size=4",
    "--no-parallel-scavenge",
    "--initial-old-space-size=20",
    "--heap-growing-percent=40",
  ],
  flags: ["--rotate-every", ROTATE],
};
const CONTROLLER_PROGRAM = {
  program: "dist/image/main.js",
  nodeFlags: ["--max-semi-space-size=4", "--no-parallel-scavenge", "--optimize-for-size"],
};

/**
 * A leak of the smallest object for each admission would be 48,000 bytes. What does grow is the memory of originals, up to 1,000 of them
 * (src/kube/memory.ts): with each 1,000 admissions comes one backup, of 4 KB there. All cores are taken: a busy event loop is late.
 */
const WEBHOOK: Thresholds = {
  per: "1,000 admissions",
  perCount: 1_000,
  heapPer: 6_000,
  rssMiB: 200,
  moreFiles: 8,
  moreTimers: 8,
  lagP99Ms: 100,
};
/**
 * A forgotten Backup with its DataUpload, snapshot and content would be some 8 KB. What does grow is what was deleted within a day,
 * and strings that objects share, up to 20,000 (src/kube/intern.ts).
 */
const CONTROLLER: Thresholds = {
  per: "a backup",
  perCount: 1,
  heapPer: 4_000,
  rssMiB: 200,
  moreFiles: 8,
  moreTimers: 8,
  lagP99Ms: 100,
};

process.env["SOAK_DIRECTORY"] = mkdtempSync(join(tmpdir(), "soak-"));
process.env["NODE_OPTIONS"] = `--import=${join(import.meta.dirname, "probe.ts")}`;

let edits = 0;
/** When the certificates end that the first webhook was seen to serve: each has another time. */
const expiries = new Set<number>();
let restarts = 0;
let others: Process[] = [];

const { binaries, skip } = await availableBinaries("demo");
if (skip !== false) throw new Error(`the soak needs the cluster's binaries: ${skip}`);
const POLICY = { snapshotsToRetain: 2, ceilings: { drivers: { "array.csi.snapshot-retainer.io": 10 } } };
const scene = await startScene(binaries, POLICY, WEBHOOK_PROGRAM);
const { product, cluster, api } = scene;
try {
  process.exitCode = await soak();
} finally {
  await product.stop();
  await cluster.stop();
}

async function soak(): Promise<number> {
  const [webhook] = product.running();
  const controller = await product.startController(CONTROLLER_PROGRAM);
  await controller.ready();
  await restartOthers();
  if (webhook === undefined) throw new Error("no webhook runs");
  const samples = { webhook: [] as Measured[], controller: [] as Measured[] };
  const stopping = new AbortController();
  const begun = performance.now();
  let admissions = 0;
  const backups = playBackups(scene, {
    volumes: Number(values.volumes),
    backups: BACKUPS,
    most: 3,
    // Spread over all of the time.
    due: () => Math.ceil((BACKUPS * (admissions + CHUNK)) / ADMISSIONS),
  });
  const load = startLoad(api, { senders: 2 });
  async function admit(): Promise<void> {
    const bodies = [...(BODIES["Backup"] ?? []), ...(BODIES["VolumeSnapshotContent"] ?? [])];
    const to = { port: Number(new URL(webhook?.url ?? "").port), path: "/mutate" };
    while (admissions < ADMISSIONS) {
      const requests = Math.min(CHUNK, ADMISSIONS - admissions);
      const { failures } = await runLoad({ to, bodies, connections: 8, requests, rate: RATE });
      if (failures > 0) throw new Error(`${failures} of ${requests} admissions failed`);
      admissions += requests;
    }
  }
  const disturbances = [
    every(LOOK_MS, stopping.signal, async () => {
      samples.webhook.push({ ...(await look(webhook)), done: admissions });
      expiries.add(await readMetric([webhook], "snapshot_retainer_certificate_expiry_timestamp_seconds"));
      samples.controller.push({ ...(await look(controller)), done: backups.done() });
      progress({ admissions, backups: backups.done(), begun });
    }),
    // One after the other: a policy is in force when all that run have it.
    every(EDIT_MS, stopping.signal, async () => {
      await editPolicy();
      if (edits % EDITS_A_RESTART === 0) await restartOthers();
    }),
  ];
  try {
    await Promise.race([Promise.all([admit(), backups.ended]), ...disturbances]);
  } finally {
    stopping.abort();
    await load.stop();
  }
  return report(samples, load.result(), { admissions, backups: backups.done(), begun });
}

/** Does it every so often until the signal; ends only by failing. */
async function every(ms: number, signal: AbortSignal, act: () => Promise<void>): Promise<never> {
  for (;;) {
    await sleep(ms, undefined, { signal }).catch(() => undefined);
    if (signal.aborted) return new Promise<never>(() => undefined);
    await act();
  }
}

async function editPolicy(): Promise<void> {
  edits += 1;
  await product.applyPolicy({ ...POLICY, snapshotsToRetain: 2 + (edits % 2) });
}

/** A second replica and a controller that stands by come and go; the first of each stays, so that it grows old. */
async function restartOthers(): Promise<void> {
  const started = [
    await product.startReplica({ ...WEBHOOK_PROGRAM, drainSeconds: 2 }),
    await product.startController(CONTROLLER_PROGRAM),
  ];
  for (const each of started) await each.ready();
  for (const old of others) await old.stop("SIGTERM");
  others = started;
  restarts += 1;
}

async function look({ process: { pid = 0 } }: Process): Promise<Sample> {
  const file = join(process.env["SOAK_DIRECTORY"] ?? "", `${pid}.jsonl`);
  const before = linesOf(file).length;
  process.kill(pid, "SIGUSR2");
  for (let tries = 0; tries < 200; tries++) {
    await sleep(50);
    const lines = linesOf(file);
    if (lines.length > before) return Sample.parse(JSON.parse(lines.at(-1) ?? ""));
  }
  throw new Error(`process ${pid} told nothing within 10 s`);
}

function linesOf(file: string): string[] {
  try {
    return readFileSync(file, "utf8").trim().split("\n");
  } catch {
    return [];
  }
}

interface Done {
  readonly admissions: number;
  readonly backups: number;
  /** By `performance.now()`. */
  readonly begun: number;
}

function progress({ admissions, backups, begun }: Done): void {
  const minutes = ((performance.now() - begun) / 60_000).toFixed(1);
  const line = `${minutes} min: ${admissions.toLocaleString("en")} of ${ADMISSIONS.toLocaleString("en")} admissions, ${backups} of ${BACKUPS} backups, ${restarts} restarts, ${edits} policies`;
  if (process.stdout.isTTY) process.stdout.write(`\r${line}`);
  else print(line);
}

async function report(
  samples: { readonly webhook: Measured[]; readonly controller: Measured[] },
  {
    sent,
    failed,
    unmutated,
  }: { readonly sent: number; readonly failed: readonly string[]; readonly unmutated: number },
  { admissions, backups, begun }: Done,
): Promise<number> {
  const rotations = await rotationsOf(product);
  const verdicts: Verdict[] = [
    ...judge("webhook", samples.webhook, WEBHOOK),
    ...judge("controller", samples.controller, CONTROLLER),
    none("requests through the API server that failed", failed.length),
    none("of these left unmutated", unmutated),
    none(
      "rotations missing of one a minute",
      Math.max(0, Math.floor((performance.now() - begun) / 60_000) - rotations.seen),
    ),
    none("rotations that left a replica behind", rotations.forced),
  ];
  print(
    `\n${admissions.toLocaleString("en")} admissions and ${backups} backups in ${((performance.now() - begun) / 60_000).toFixed(1)} min; ${sent.toLocaleString("en")} requests through the API server, ${restarts} restarts, ${rotations.seen} rotations seen, ${edits} policies\n`,
  );
  print(renderVerdicts(verdicts));
  return verdicts.every(({ ok }) => ok) ? 0 : 1;
}

function none(what: string, value: number): Verdict {
  return { what, value, most: 0, unit: "", ok: value === 0 };
}

async function rotationsOf(of: Product): Promise<{ readonly seen: number; readonly forced: number }> {
  return {
    seen: Math.max(0, expiries.size - 1),
    forced: await readMetric(of.running(), "snapshot_retainer_ca_forced_rotations"),
  };
}
