import { Command } from "commander";
import { PIN_LABEL } from "../kube/keys.ts";
import { isLabelValue } from "../kube/label-value.ts";
import { limitOf } from "../plan/status.ts";
import type { Plan, Verdict } from "../retention/plan.ts";
import { InvalidInput } from "../review/documents.ts";
import { labelContent } from "./labelling.ts";
import { planFor, readInput, restOf, withClusterFlags } from "./world-input.ts";
import type { ClusterFlags } from "./world-input.ts";

interface PinFlags extends ClusterFlags {
  readonly reason: string;
}

const EXIT =
  "\nExit status: 0, also where nothing had to be changed; 1 when one of them is no retained snapshot; 2 for wrong flags.";

/** `snapshot-retainer pin`: these snapshots are never freed, until they are unpinned. */
export function pinCommand(): Command {
  const command = new Command("pin")
    .description("keep retained snapshots, whatever the policy says, until they are unpinned")
    .argument("<snapshot...>", "VolumeSnapshotContents, as status and plan name them")
    .option("--reason <text>", "why, as a label value: letters, digits, - _ .", "true");
  return withClusterFlags(command)
    .addHelpText("after", EXIT)
    .exitOverride()
    .action(async (names: string[], flags: PinFlags) => {
      if (!isLabelValue(flags.reason) || flags.reason === "" || flags.reason === "false") {
        throw new InvalidInput(
          `--reason: found "${flags.reason}"; use up to 63 letters, digits, "-", "_" and ".", and not "false", which means not pinned`,
        );
      }
      await change(names, flags, { label: flags.reason, did: "pinned" });
    });
}

/** `snapshot-retainer unpin`: the policy decides again. */
export function unpinCommand(): Command {
  const command = new Command("unpin")
    .description("let the policy decide about snapshots again")
    .argument("<snapshot...>", "VolumeSnapshotContents, as status and plan name them");
  return withClusterFlags(command)
    .addHelpText("after", EXIT)
    .exitOverride()
    .action(async (names: string[], flags: ClusterFlags) => {
      await change(names, flags, { label: null, did: "unpinned" });
    });
}

interface Change {
  readonly label: string | null;
  readonly did: string;
}

async function change(names: readonly string[], flags: ClusterFlags, { label, did }: Change): Promise<void> {
  const { plan } = planFor(await readInput(flags));
  // All or none: who mistypes one of two names should not wonder about the other.
  const verdicts = names.map((name) => retainedOf(name, plan));
  const rest = restOf(flags);
  for (const { name, pinned } of verdicts) {
    await labelContent(rest, name, { [PIN_LABEL]: label });
    process.stdout.write(`${name} ${pinned === (label !== null) ? `is ${did} already` : did}\n`);
  }
  if (label !== null) for (const warning of fullOf(verdicts, plan)) process.stderr.write(`${warning}\n`);
}

function retainedOf(name: string, { snapshots }: Plan): Verdict {
  const found = snapshots.find((verdict) => verdict.name === name);
  if (found === undefined) {
    throw new InvalidInput(`${name}: not a snapshot of ours; snapshot-retainer plan names them all`);
  }
  if (found.stage !== "retained") {
    throw new InvalidInput(`${name}: not retained yet (${found.stage}), so there is nothing to pin or unpin`);
  }
  return found;
}

/** What to say where pins leave no place for another snapshot. */
function fullOf(pinned: readonly Verdict[], { volumes, snapshots }: Plan): string[] {
  const keys = new Set(pinned.map(({ volumeKey }) => volumeKey));
  return volumes
    .filter(({ volumeKey }) => keys.has(volumeKey))
    .flatMap((volume) => {
      const { limit } = limitOf(volume);
      const now = snapshots.filter(
        (one) => one.volumeKey === volume.volumeKey && (one.pinned || pinned.includes(one)),
      ).length;
      return limit !== null && now >= limit
        ? [
            `${volume.volumeName}: ${now} of ${limit} places are pinned, so none can go for a new snapshot; raise the number, or unpin one`,
          ]
        : [];
    });
}
