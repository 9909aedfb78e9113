import { Command, Option } from "commander";
import { stringify } from "yaml";
import { userKubeConfig } from "../config.ts";
import { examine } from "../doctor/doctor.ts";
import type { Finding } from "../doctor/finding.ts";
import { renderFinding, renderSummary } from "../doctor/render.ts";
import { createRest } from "../kube/rest.ts";

interface DoctorFlags {
  readonly kubeconfig?: string;
  readonly namespace: string;
  readonly name: string;
  readonly output: "table" | "json" | "yaml";
  readonly color?: boolean;
}

/** `snapshot-retainer doctor`: the whole way from the API server to the storage, with cause and fix for each fault; changes nothing. */
export function doctorCommand(): Command {
  return new Command("doctor")
    .description(
      "look for what is wrong, from the API server to the storage, and say what to do; changes nothing",
    )
    .option("--kubeconfig <file>", "kubeconfig to use; by default as kubectl does")
    .option("--namespace <name>", "namespace of Snapshot Retainer", "snapshot-retainer")
    .option(
      "--name <name>",
      "what the chart's objects are called: its release or fullnameOverride",
      "snapshot-retainer",
    )
    .addOption(
      new Option("-o, --output <format>", "how to print").choices(["table", "json", "yaml"]).default("table"),
    )
    .option("--color", "colour the table; by default on a terminal only")
    .option("--no-color", "never colour the table")
    .addHelpText("after", HELP)
    .exitOverride()
    .action(async (flags: DoctorFlags) => {
      const findings = await run(flags);
      process.exitCode = findings.some(({ status }) => status === "failed") ? 1 : 0;
    });
}

const HELP = `
Looks at: the API server, CRDs, the policy, Velero, the webhook configurations, the replicas, the way to them (DNS, TCP,
TLS by the published bundle), the rights of our accounts, the leader, admission (a Backup by dry run), and the storage.
Exit status: 0, also with warnings; 1 where something failed; 2 for wrong flags.`;

async function run(flags: DoctorFlags): Promise<Finding[]> {
  const kubeConfig = userKubeConfig(flags.kubeconfig);
  const { namespace, name, output } = flags;
  const color = flags.color ?? process.stdout.isTTY;
  const findings: Finding[] = [];
  const examination = examine({
    rest: createRest(kubeConfig),
    server: kubeConfig.getCurrentCluster()?.server ?? "no current cluster",
    namespace,
    name,
    now: Date.now,
    inCluster: process.env["KUBERNETES_SERVICE_HOST"] !== undefined,
  });
  for await (const finding of examination) {
    findings.push(finding);
    // As it comes: a firewall that drops packets makes one wait.
    if (output === "table") process.stdout.write(renderFinding(finding, color));
  }
  process.stdout.write(ending(findings, output, color));
  return findings;
}

function ending(findings: readonly Finding[], output: DoctorFlags["output"], color: boolean): string {
  switch (output) {
    case "table":
      return renderSummary(findings, color);
    case "json":
      return `${JSON.stringify(findings, null, 2)}\n`;
    case "yaml":
      return stringify(JSON.parse(JSON.stringify(findings)), { lineWidth: 0 });
  }
}
