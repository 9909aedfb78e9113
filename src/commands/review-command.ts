import { readFile } from "node:fs/promises";
import { text as readAll } from "node:stream/consumers";
import { Command, Option } from "commander";
import { formatProblem, parsePolicy } from "../policy/parse.ts";
import type { RetentionPolicy } from "../policy/schema.ts";
import { InvalidInput, parseManifests } from "../review/documents.ts";
import { FORMATS, render } from "../review/render.ts";
import type { Format } from "../review/render.ts";
import { reviewManifests } from "../review/review.ts";

interface ReviewFlags {
  readonly policy: string;
  readonly filename: readonly string[];
  readonly as?: string;
  readonly output: Format;
  readonly color?: boolean;
  readonly controller: boolean;
}

/** `snapshot-retainer review`: what admission would make of manifests, offline. */
export function reviewCommand(): Command {
  return new Command("review")
    .description("show what admission would make of manifests; needs no cluster")
    .requiredOption("--policy <file>", "the policy: a RetentionPolicy document")
    .requiredOption("-f, --filename <file...>", "manifests, several documents in order; - for standard input")
    .option("--as <user>", "who sends them; by default each kind's usual creator")
    .addOption(new Option("-o, --output <format>", "how to print").choices([...FORMATS]).default("diff"))
    .option("--color", "colour the diff; by default on a terminal only")
    .option("--no-color", "never colour the diff")
    .option("--no-controller", "as if no retention controller were running")
    .addHelpText("after", HELP)
    .exitOverride()
    .action(async (flags: ReviewFlags) => {
      process.stdout.write(await review(flags));
    });
}

const HELP = `
Objects that came before in the input are known to later ones, and a second manifest of the same
object is its UPDATE. The annotation review.snapshot-retainer.io/as names who sends a manifest.
Exit status: 0, 1 when the input is not valid (file, document and path are told), 2 for wrong flags.`;

async function review(flags: ReviewFlags): Promise<string> {
  const policy = readPolicy(flags.policy, await read(flags.policy));
  const manifests = [];
  for (const file of flags.filename) {
    manifests.push(...parseManifests(file, await read(file)));
  }
  const reviewed = await reviewManifests(manifests, {
    policy,
    policyLocation: `file ${flags.policy}`,
    as: flags.as,
    controllerAlive: flags.controller,
  });
  return render(reviewed, flags.output, flags.color ?? process.stdout.isTTY);
}

async function read(file: string): Promise<string> {
  try {
    return file === "-" ? await readAll(process.stdin) : await readFile(file, "utf8");
  } catch (error) {
    throw new InvalidInput(
      `${file}: cannot be read: ${error instanceof Error ? error.message : String(error)}`,
      { cause: error },
    );
  }
}

function readPolicy(file: string, text: string): RetentionPolicy {
  const parsed = parsePolicy(text);
  if (parsed.kind === "policy") {
    return parsed.policy;
  }
  throw new InvalidInput(parsed.problems.map((problem) => `${file}: ${formatProblem(problem)}`).join("\n"));
}
