import { readFile } from "node:fs/promises";
import { text as readAll } from "node:stream/consumers";
import { Command, InvalidArgumentError, Option } from "commander";
import { userKubeConfig } from "../config.ts";
import { createRest } from "../kube/rest.ts";
import type { Rest } from "../kube/rest.ts";
import { readWorld } from "../plan/collections.ts";
import { policyOf, readCluster, signerOf } from "../plan/from-cluster.ts";
import { policyIn, readDump } from "../plan/from-dump.ts";
import { FORMATS, render } from "../plan/render.ts";
import type { Format } from "../plan/render.ts";
import { reportOf } from "../plan/report.ts";
import { formatProblem, parsePolicy } from "../policy/parse.ts";
import type { RetentionPolicy } from "../policy/schema.ts";
import { decide } from "../retention/decide.ts";
import { rememberDocuments, UNVERIFIED } from "../retention/documents.ts";
import { timeOf } from "../retention/time.ts";
import type { World } from "../retention/world.ts";
import { InvalidInput, parseManifests } from "../review/documents.ts";

interface PlanFlags {
  readonly filename?: readonly string[];
  readonly policy?: string;
  readonly kubeconfig?: string;
  readonly namespace: string;
  readonly policyConfigmap: string;
  readonly signingKeySecret: string;
  readonly now?: number;
  readonly output: Format;
  readonly color?: boolean;
}

/** `snapshot-retainer plan`: what is kept and what goes, with the reason for each snapshot; changes nothing. */
export function planCommand(): Command {
  const command = new Command("plan")
    .description("show which snapshots stay and which go, and why; changes nothing")
    .option(
      "-f, --filename <file...>",
      "what `kubectl get -o yaml` wrote, instead of a cluster; - for standard input",
    )
    .option("--policy <file>", "a RetentionPolicy document, instead of the one in the cluster or the dump")
    .option("--kubeconfig <file>", "kubeconfig to use; by default as kubectl does");
  for (const option of objectFlags()) {
    command.addOption(option);
  }
  return command
    .option("--now <time>", "make the plan for this time (RFC 3339): a dump's own", parseTime)
    .addOption(new Option("-o, --output <format>", "how to print").choices([...FORMATS]).default("table"))
    .option("--color", "colour the table; by default on a terminal only")
    .option("--no-color", "never colour the table")
    .addHelpText("after", HELP)
    .exitOverride()
    .action(async (flags: PlanFlags) => {
      process.stdout.write(await plan(flags));
    });
}

function objectFlags(): Option[] {
  return [
    new Option("--namespace <name>", "namespace of Snapshot Retainer").default("snapshot-retainer"),
    new Option("--policy-configmap <name>", "ConfigMap with the policy").default("snapshot-retainer-policy"),
    new Option("--signing-key-secret <name>", "Secret with the signing key; not needed").default(
      "snapshot-retainer-signing-key",
    ),
  ];
}

const HELP = `
A dump:  kubectl get volumesnapshotcontents,volumesnapshots,datauploads,backups,deletebackuprequests,
         backupstoragelocations,pvc,pv,configmaps -A -o yaml
What only the running controller knows is not in a plan: since when a Backup is missing, and how
many snapshots were freed within the last minute.
Exit status: 0, 1 when the input is not valid (file, document and path are told), 2 for wrong flags.`;

async function plan(flags: PlanFlags): Promise<string> {
  const { world, policy, policyFrom, verified } =
    flags.filename === undefined ? await fromCluster(flags) : await fromDump(flags, flags.filename);
  const now = flags.now ?? Date.now();
  const report = reportOf({
    plan: decide(world, policy, now),
    now,
    mode: policy.mode,
    policy: policyFrom,
    verified,
  });
  return render(report, flags.output, flags.color ?? process.stdout.isTTY);
}

interface Input {
  readonly world: World;
  readonly policy: RetentionPolicy;
  readonly policyFrom: string;
  readonly verified: boolean;
}

async function fromDump(flags: PlanFlags, files: readonly string[]): Promise<Input> {
  const manifests = [];
  for (const file of files) {
    manifests.push(...parseManifests(file, await read(file)));
  }
  const text =
    flags.policy === undefined ? policyIn(manifests, flags.policyConfigmap) : await read(flags.policy);
  const policyFrom = flags.policy ?? `ConfigMap ${flags.policyConfigmap} of the dump`;
  if (text === undefined) {
    throw new InvalidInput(
      `no policy: the dump has no ConfigMap ${flags.policyConfigmap} with the key policy.yaml; give a file with --policy`,
    );
  }
  const world = await readWorld(readDump(manifests), rememberDocuments(UNVERIFIED));
  return { world, policy: policyFromText(policyFrom, text), policyFrom, verified: false };
}

async function fromCluster(flags: PlanFlags): Promise<Input> {
  const { namespace, policyConfigmap } = flags;
  const rest: Rest = createRest(userKubeConfig(flags.kubeconfig));
  const signer = await signerOf(rest, namespace, flags.signingKeySecret);
  const policyFrom = flags.policy ?? `ConfigMap ${namespace}/${policyConfigmap}`;
  const text =
    flags.policy === undefined ? await policyOf(rest, namespace, policyConfigmap) : await read(flags.policy);
  const policy = policyFromText(policyFrom, text);
  const world = await readWorld(readCluster(rest), rememberDocuments(signer ?? UNVERIFIED));
  return { world, policy, policyFrom, verified: signer !== undefined };
}

async function read(file: string): Promise<string> {
  try {
    return file === "-" ? await readAll(process.stdin) : await readFile(file, "utf8");
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new InvalidInput(`${file}: cannot be read: ${reason}`, { cause: error });
  }
}

function policyFromText(where: string, text: string): RetentionPolicy {
  const parsed = parsePolicy(text);
  if (parsed.kind === "policy") {
    return parsed.policy;
  }
  throw new InvalidInput(parsed.problems.map((problem) => `${where}: ${formatProblem(problem)}`).join("\n"));
}

function parseTime(text: string): number {
  const time = timeOf(text);
  if (time === undefined) {
    throw new InvalidArgumentError(`found "${text}"; use a time such as 2026-11-24T12:00:00Z.`);
  }
  return time;
}
