import { buildBinaries } from "./build.ts";
import { GoMissing } from "./go.ts";
import { createProgressPrinter } from "./progress-printer.ts";

process.exitCode = await run(process.argv.slice(2));

async function run(args: readonly string[]): Promise<number> {
  const [command, ...rest] = args;
  if (command === "build") return build(rest[0]);
  process.stderr.write(USAGE);
  return 2;
}

async function build(set = "demo"): Promise<number> {
  if (set !== "demo" && set !== "all") {
    process.stderr.write(USAGE);
    return 2;
  }
  try {
    const binaries = await buildBinaries(set, { onProgress: createProgressPrinter(process.stderr) });
    process.stdout.write(`${JSON.stringify(binaries, undefined, 2)}\n`);
    return 0;
  } catch (error) {
    if (!(error instanceof GoMissing)) throw error;
    process.stderr.write(`${error.message}\n`);
    return 1;
  }
}

const USAGE = `usage: main.ts build [demo|all]
       main.ts start [--keep]
`;
