import { Command } from "commander";
import { stringify } from "yaml";
import { diffPolicies, renderPolicyDiff } from "../plan/policy-diff.ts";
import { exportCel } from "../policy/export-cel.ts";
import { withOutputFlags } from "./output-flags.ts";
import type { OutputFlags } from "./output-flags.ts";
import { planFor, policyFromText, readInput, readInputFile, withClusterFlags } from "./world-input.ts";
import type { ClusterFlags } from "./world-input.ts";

interface CheckFlags extends ClusterFlags, OutputFlags<"table" | "json" | "yaml"> {
  readonly filename: string;
  readonly dump?: readonly string[];
  readonly syntaxOnly?: boolean;
  readonly all?: boolean;
}

/** `snapshot-retainer policy`: what is done with policies before they are applied. */
export function policyCommand(): Command {
  return new Command("policy")
    .description("look at a policy before it is applied")
    .addCommand(checkCommand())
    .addCommand(exportCelCommand())
    .exitOverride();
}

function checkCommand(): Command {
  const command = new Command("check")
    .description("check a RetentionPolicy, and show what it would change beside today's; changes nothing")
    .requiredOption("-f, --filename <file>", "the RetentionPolicy document; - for standard input")
    .option("--dump <file...>", "what `kubectl get -o yaml` wrote, instead of a cluster: see plan --help")
    .option("--syntax-only", "check the document alone, without a cluster")
    .option("--all", "show also volumes for which nothing changes");
  return withOutputFlags(withClusterFlags(command), ["table", "json", "yaml"])
    .addHelpText(
      "after",
      "\nExit status: 0 when the policy is valid; 1 when it is not, each problem with its line; 2 for wrong flags.",
    )
    .exitOverride()
    .action(async (flags: CheckFlags) => {
      const policy = policyFromText(flags.filename, await readInputFile(flags.filename));
      if (flags.syntaxOnly === true) {
        process.stdout.write(`${flags.filename}: valid\n`);
        return;
      }
      process.stdout.write(await diff(policy, flags));
    });
}

interface ExportFlags {
  readonly filename: string;
  readonly name: string;
}

function exportCelCommand(): Command {
  return new Command("export-cel")
    .description(
      "print the number on new Backups as a MutatingAdmissionPolicy, for Kubernetes 1.36 and newer",
    )
    .requiredOption("-f, --filename <file>", "the RetentionPolicy document; - for standard input")
    .option("--name <name>", "name of the objects", "snapshot-retainer-backups")
    .addHelpText(
      "after",
      `
It does what the webhook does for Backups, without a webhook; warnings, Events and everything about snapshots it cannot do.
Exit status: 0; 1 when the policy is not valid; 2 for wrong flags.`,
    )
    .exitOverride()
    .action(async ({ filename, name }: ExportFlags) => {
      const policy = policyFromText(filename, await readInputFile(filename));
      const documents = exportCel(policy, name).map((object) => stringify(object, { lineWidth: 0 }));
      process.stdout.write(documents.join("---\n"));
    });
}

async function diff(policy: ReturnType<typeof policyFromText>, flags: CheckFlags): Promise<string> {
  const { dump, ...cluster } = flags;
  const { filename: _, ...withoutFile } = cluster;
  const input = await readInput(dump === undefined ? withoutFile : { ...withoutFile, filename: dump });
  const now = Date.now();
  // Modes hold snapshots back; what is asked is what the limits say.
  const today = planFor({ ...input, policy: { ...input.policy, mode: "enforce" } }, now);
  const proposed = planFor({ ...input, policy: { ...policy, mode: "enforce" } }, now);
  const changes = diffPolicies(today.report, proposed.report);
  switch (flags.output) {
    case "table":
      return `${flags.filename}: valid; beside ${input.policyFrom}:\n\n${renderPolicyDiff(changes, flags.all ?? false)}`;
    case "json":
      return `${JSON.stringify(changes, null, 2)}\n`;
    case "yaml":
      return stringify(JSON.parse(JSON.stringify(changes)), { lineWidth: 0 });
  }
}
