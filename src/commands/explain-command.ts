import { Command, Option } from "commander";
import { stringify } from "yaml";
import { explain, renderExplanation, similarTo, targetsOf } from "../plan/explain.ts";
import type { Target } from "../plan/explain.ts";
import { InvalidInput } from "../review/documents.ts";
import { isColored, withOutputFlags } from "./output-flags.ts";
import type { OutputFlags } from "./output-flags.ts";
import { planFor, readInput, withWorldFlags } from "./world-input.ts";
import type { WorldFlags } from "./world-input.ts";

interface ExplainFlags extends WorldFlags, OutputFlags<"text" | "json" | "yaml"> {
  readonly kind?: Target["kind"];
}

/** `snapshot-retainer explain`: all that is known and decided of one volume, snapshot or Backup; changes nothing. */
export function explainCommand(): Command {
  const command = new Command("explain")
    .description("explain what is decided of a volume, a snapshot or a Backup, and why; changes nothing")
    .argument(
      "<name>",
      "namespace/name of a PVC, a VolumeSnapshotContent, namespace/name of a VolumeSnapshot, or a Backup",
    )
    .addOption(
      new Option("--kind <kind>", "what it is, where a name has several").choices([
        "volume",
        "snapshot",
        "backup",
      ]),
    );
  return withOutputFlags(withWorldFlags(command), ["text", "json", "yaml"])
    .addHelpText(
      "after",
      "\nExit status: 0; 1 when there is no such thing, or more than one; 2 for wrong flags.",
    )
    .exitOverride()
    .action(async (name: string, flags: ExplainFlags) => {
      const input = await readInput(flags);
      const known = { world: input.world, ...planFor(input, flags.now) };
      const targets = targetsOf(name, known).filter(
        ({ kind }) => flags.kind === undefined || kind === flags.kind,
      );
      const [target] = targets;
      if (target === undefined) {
        const similar = similarTo(name, known);
        const hint =
          similar.length === 0 ? "status and plan show what there is" : `perhaps ${similar.join(", ")}`;
        throw new InvalidInput(
          `${name}: no volume with a snapshot of ours, no such snapshot and no Backup; ${hint}`,
        );
      }
      if (targets.length > 1) {
        const all = targets.map((each) => `--kind ${each.kind} ${each.name}`);
        throw new InvalidInput(`${name} is more than one thing; say which: ${all.join(", ")}`);
      }
      const explanation = explain(target, known);
      process.stdout.write(
        flags.output === "text"
          ? renderExplanation(explanation, isColored(flags))
          : flags.output === "json"
            ? `${JSON.stringify(explanation, null, 2)}\n`
            : stringify(JSON.parse(JSON.stringify(explanation)), { lineWidth: 0 }),
      );
    });
}
