import { execFile } from "node:child_process";
import { promisify } from "node:util";
import type { Screen } from "./screen.ts";

const REVIEW = "src/main.ts review --policy examples/policy.yaml -f examples/manifests.yaml";

/** What `snapshot-retainer review` makes of the examples: the real command, and no cluster. */
export async function reviewExamples(screen: Screen, signal: AbortSignal): Promise<string> {
  const color = screen.hasColors ? "--color" : "--no-color";
  const args = [...REVIEW.split(" "), color];
  const { stdout } = await promisify(execFile)(process.execPath, args, { signal });
  return stdout;
}

/** Shows the review; in short it leaves out the diffs, which the cluster is about to show for real. */
export function showTour(screen: Screen, review: string, { inShort }: { inShort: boolean }): void {
  screen.title("First without a cluster: what the webhook would make of the objects of a backup");
  screen.say(
    "The very code that answers the API server, applied to files: examples/manifests.yaml has what a user, Velero " +
      "and the snapshot-controller create during one backup, examples/policy.yaml what the admin decided.",
  );
  screen.command(`npm exec -- node ${REVIEW}`);
  screen.print("\n");
  for (const line of inShort ? withoutDiffs(review) : review.trimEnd().split("\n")) screen.report(line);
}

/** Every diff line is indented by four; the paragraphs then need no empty line between them. */
function withoutDiffs(review: string): string[] {
  return review.split("\n").filter((line) => line !== "" && !line.startsWith("    "));
}
