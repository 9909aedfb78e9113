import { createInterface } from "node:readline/promises";
import { setTimeout as sleep } from "node:timers/promises";
import { Command } from "commander";
import { parseDuration } from "../config.ts";
import { contentPath } from "../controller/writes.ts";
import type { Rest } from "../kube/rest.ts";
import { planRelease, releaseLabels } from "../plan/release.ts";
import type { Release } from "../plan/release.ts";
import { InvalidInput } from "../review/documents.ts";
import { labelContent } from "./labelling.ts";
import { readInput, restOf, withClusterFlags } from "./world-input.ts";
import type { ClusterFlags } from "./world-input.ts";

interface ReleaseFlags extends ClusterFlags {
  readonly yes?: boolean;
  readonly dryRun?: boolean;
  readonly includePinned?: boolean;
  readonly wait: boolean;
  /** Milliseconds. */
  readonly timeout: number;
}

/** `snapshot-retainer release`: asks the controller to free all retained snapshots of a volume, and waits for it. */
export function releaseCommand(): Command {
  const command = new Command("release")
    .description(
      "free all retained snapshots of a volume, as some storage needs before it is expanded or deleted",
    )
    .argument("<volume>", "namespace/name of a PersistentVolumeClaim")
    .option("-y, --yes", "do not ask")
    .option("--dry-run", "show what would go, and change nothing")
    .option("--include-pinned", "those that are pinned as well")
    .option("--no-wait", "do not wait until they are gone")
    .option("--timeout <duration>", "how long to wait", parseDuration, 300_000);
  return withClusterFlags(command)
    .addHelpText("after", HELP)
    .exitOverride()
    .action(async (volume: string, flags: ReleaseFlags) => {
      process.exitCode = (await release(volume, flags)) ? 0 : 1;
    });
}

const HELP = `
The controller frees them, with all of its care: what is pinned, being restored, or the source of a claim stays. A data
mover's copies in object storage are not touched. Backups that come later are retained again: lower the number, or pause
the schedule, where that must not be.
Exit status: 0 when all are gone; 1 when one stays, or nobody said yes; 2 for wrong flags.`;

/** Resolves with whether nothing stays. */
async function release(volume: string, flags: ReleaseFlags): Promise<boolean> {
  const { world, policy } = await readInput(flags);
  const unpin = flags.includePinned ?? false;
  const { going, staying } = planRelease(world, policy, { volume, now: Date.now(), unpin });
  if (going.length + staying.length === 0) {
    process.stdout.write(`${volume} has no retained snapshot\n`);
    return true;
  }
  show({ going, staying });
  if (going.length === 0 || flags.dryRun === true) {
    process.stdout.write(flags.dryRun === true ? "nothing was changed\n" : "");
    return staying.length === 0;
  }
  if (flags.yes !== true && !(await isConfirmed(volume, going.length))) {
    process.stderr.write("nothing was changed\n");
    return false;
  }
  const rest = restOf(flags);
  for (const { name } of going) await labelContent(rest, name, releaseLabels(unpin));
  if (!flags.wait) {
    process.stdout.write(`the controller was asked to free ${going.length}\n`);
    return staying.length === 0;
  }
  return (
    (await isGone(
      rest,
      going.map(({ name }) => name),
      flags.timeout,
    )) && staying.length === 0
  );
}

function show({ going, staying }: Release): void {
  for (const { name, handle = "", backup, held } of going) {
    const waits = held === undefined ? "" : `, held: ${held}`;
    process.stdout.write(`goes   ${name}  ${handle}  of Backup ${backup?.name ?? "-"}${waits}\n`);
  }
  for (const { name, message } of staying) process.stdout.write(`stays  ${name}  ${message}\n`);
}

async function isConfirmed(volume: string, count: number): Promise<boolean> {
  if (!process.stdin.isTTY) {
    throw new InvalidInput(
      "release asks before it frees anything, and nobody is there to answer: give --yes",
    );
  }
  const prompt = createInterface({ input: process.stdin, output: process.stderr });
  try {
    const answer = await prompt.question(`Free ${count} snapshots of ${volume} on the storage? [y/N] `);
    return /^y(es)?$/i.test(answer.trim());
  } finally {
    prompt.close();
  }
}

const LOOK_MS = 1_000;

async function isGone(
  rest: Pick<Rest, "get">,
  names: readonly string[],
  timeoutMs: number,
): Promise<boolean> {
  const end = performance.now() + timeoutMs;
  let left = [...names];
  while (performance.now() < end) {
    const found = await Promise.all(left.map(async (name) => rest.get(contentPath(name))));
    left = left.filter((_, index) => found[index] !== undefined);
    const line = `${names.length - left.length} of ${names.length} are gone`;
    if (left.length === 0) {
      process.stdout.write(`${process.stdout.isTTY ? "\r" : ""}${line}\n`);
      return true;
    }
    if (process.stdout.isTTY) process.stdout.write(`\r${line}`);
    await sleep(LOOK_MS);
  }
  process.stderr.write(
    `still there after ${timeoutMs / 1000} s: ${left.join(", ")}; snapshot-retainer explain tells why\n`,
  );
  return false;
}
