import { availableParallelism, tmpdir } from "node:os";
import { join } from "node:path";
import { globSync, mkdtempSync, rmSync } from "node:fs";
import { run } from "node:test";
import { spec } from "node:test/reporters";
import { availableBinaries } from "./cluster/availability.ts";
import { CALLS_FILE } from "./cluster/recorded-calls.ts";
import { bundleProgram } from "./program.ts";

/**
 * Runs the tests and closes with a line "N passed, N failed[, N skipped]".
 *
 *   node test/run.ts            everything; builds the real control plane first, where Go is there
 *   node test/run.ts unit       what needs no cluster: seconds
 *   node test/run.ts FILE...    these files
 */
const NEEDS_CLUSTER = ["test/e2e/**/*.test.ts", "test/chart/**/*.test.ts", "test/cluster/cluster.test.ts"];

/** Compares what all the others recorded: the last step of a whole run, and nothing by itself. */
const COMPARISON = "test/rbac/recorded-calls.test.ts";

/** Control planes at once; one needs up to 2 GiB of memory. */
const MOST_CLUSTERS = 2;

/** What the unit tests have to cover, in percent, of the files that decide. */
const FLOOR = { lineCoverage: 95, branchCoverage: 90, functionCoverage: 95 };
const DECIDING = [
  "src/admission/**/*.ts",
  "src/policy/**/*.ts",
  "src/retention/**/*.ts",
  "src/plan/**/*.ts",
  "src/restore/**/*.ts",
  "src/review/**/*.ts",
  "certs/issue.ts",
  "certs/rotation.ts",
];

interface Counts {
  passed: number;
  failed: number;
  skipped: number;
}

const counts: Counts = { passed: 0, failed: 0, skipped: 0 };
const [mode = "all", ...rest] = process.argv.slice(2);
const everything = globSync("test/**/*.test.ts")
  .filter((file) => file !== COMPARISON)
  .toSorted();
const cluster = globSync(NEEDS_CLUSTER).toSorted();
const unit = everything.filter((file) => !cluster.includes(file));

if (mode === "all") {
  // One file at a time would each wait for the build, in silence; here it shows its progress.
  await availableBinaries("all");
  await runFiles(unit, { concurrency: availableParallelism(), coverage: true });
  const directory = mkdtempSync(join(tmpdir(), "retainer-calls-"));
  process.env[CALLS_FILE] = join(directory, "calls.ndjson");
  // Each of these has a whole control plane.
  await runOnClusters(cluster, Math.min(availableParallelism(), MOST_CLUSTERS));
  await runFiles([COMPARISON], { concurrency: 1, coverage: false });
  rmSync(directory, { recursive: true });
} else if (mode === "unit") {
  await runFiles(unit, { concurrency: availableParallelism(), coverage: true });
} else {
  const files = [mode, ...rest];
  if (!files.some((file) => file.includes("e2e"))) {
    await runFiles(files, { concurrency: 1, coverage: false });
  } else {
    await runOnClusters(files, 1);
    process.stdout.write(
      "\nNot compared: recorded calls and the chart's roles, which only a whole run can (npm test).\n",
    );
  }
}
const skipped = counts.skipped === 0 ? "" : `, ${counts.skipped} skipped`;
process.stdout.write(`\n${counts.passed} passed, ${counts.failed} failed${skipped}\n`);
if (counts.failed > 0 || counts.passed === 0) {
  process.exitCode = 1;
}

/** With the program as the image has it. */
async function runOnClusters(files: string[], concurrency: number): Promise<void> {
  const program = await bundleProgram();
  await runFiles(files, { concurrency, coverage: false });
  rmSync(program, { recursive: true });
}

async function runFiles(files: string[], options: { concurrency: number; coverage: boolean }): Promise<void> {
  const floor = options.coverage ? { coverage: true, coverageIncludeGlobs: DECIDING, ...FLOOR } : {};
  const stream = run({ files, concurrency: options.concurrency, ...floor });
  stream.on("test:pass", ({ details, skip }) => {
    if (details.type !== "suite") {
      counts[skip === undefined || skip === false ? "passed" : "skipped"] += 1;
    }
  });
  stream.on("test:fail", ({ details, todo }) => {
    if (details.type !== "suite" && todo === undefined) {
      counts.failed += 1;
    }
  });
  for await (const line of stream.compose(spec)) {
    process.stdout.write(line);
  }
}
