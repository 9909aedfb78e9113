import { readFile } from "node:fs/promises";
import { text as readAll } from "node:stream/consumers";
import { InvalidArgumentError, Option } from "commander";
import type { Command } from "commander";
import { userKubeConfig } from "../config.ts";
import { createRest } from "../kube/rest.ts";
import type { Rest } from "../kube/rest.ts";
import { readWorld } from "../plan/collections.ts";
import { policyOf, readCluster, signerOf } from "../plan/from-cluster.ts";
import { policyIn, readDump } from "../plan/from-dump.ts";
import { reportOf } from "../plan/report.ts";
import type { Report } from "../plan/report.ts";
import { formatProblem, parsePolicy } from "../policy/parse.ts";
import type { RetentionPolicy } from "../policy/schema.ts";
import { decide } from "../retention/decide.ts";
import { rememberDocuments, UNVERIFIED } from "../retention/documents.ts";
import type { Plan } from "../retention/plan.ts";
import { timeOf } from "../retention/time.ts";
import type { World } from "../retention/world.ts";
import { InvalidInput, parseManifests } from "../review/documents.ts";

/** Which cluster, by the flags of every command that reads one. */
export interface ClusterFlags {
  readonly kubeconfig?: string;
  readonly context?: string;
  readonly namespace: string;
  readonly policyConfigmap: string;
  readonly signingKeySecret: string;
}

/** The same, or a dump of one; and for which time. */
export interface WorldFlags extends ClusterFlags {
  readonly filename?: readonly string[];
  readonly policy?: string;
  readonly now?: number;
}

/** A cluster at one moment, and the policy that it is judged by. */
export interface WorldInput {
  readonly world: World;
  readonly policy: RetentionPolicy;
  /** Where the policy came from, for people. */
  readonly policyFrom: string;
  /** Whether signatures could be checked. */
  readonly verified: boolean;
}

/** Adds the flags that say which cluster. */
export function withClusterFlags(command: Command): Command {
  command
    .option("--kubeconfig <file>", "kubeconfig to use; by default as kubectl does")
    .option("--context <name>", "context of the kubeconfig; by default its current one");
  for (const option of [
    new Option("--namespace <name>", "namespace of Snapshot Retainer").default("snapshot-retainer"),
    new Option("--policy-configmap <name>", "ConfigMap with the policy").default("snapshot-retainer-policy"),
    new Option("--signing-key-secret <name>", "Secret with the signing key; not needed").default(
      "snapshot-retainer-signing-key",
    ),
  ]) {
    command.addOption(option);
  }
  return command;
}

/** Adds the flags that say which cluster, or which dump of one. */
export function withWorldFlags(command: Command): Command {
  command
    .option(
      "-f, --filename <file...>",
      "what `kubectl get -o yaml` wrote, instead of a cluster; - for standard input",
    )
    .option("--policy <file>", "a RetentionPolicy document, instead of the one in the cluster or the dump");
  return withClusterFlags(command).option(
    "--now <time>",
    "make the plan for this time (RFC 3339): a dump's own",
    parseTime,
  );
}

/** Calls to the cluster of the flags. */
export function restOf({ kubeconfig, context }: Pick<ClusterFlags, "kubeconfig" | "context">): Rest {
  return createRest(userKubeConfig(kubeconfig, context));
}

/** Reads the cluster or the dump. Throws `InvalidInput` with file, document and path for what is not valid. */
export async function readInput(flags: WorldFlags): Promise<WorldInput> {
  return flags.filename === undefined ? fromCluster(flags) : fromDump(flags, flags.filename);
}

/** A plan of what was read, and the report of it. */
export interface Planned {
  readonly plan: Plan;
  readonly report: Report;
  readonly now: number;
}

/** Plans it for the time of the flags, else now. */
export function planFor({ world, policy, policyFrom, verified }: WorldInput, now = Date.now()): Planned {
  const plan = decide(world, policy, now);
  return { plan, now, report: reportOf({ plan, now, mode: policy.mode, policy: policyFrom, verified }) };
}

async function fromDump(flags: WorldFlags, files: readonly string[]): Promise<WorldInput> {
  const manifests = [];
  for (const file of files) {
    manifests.push(...parseManifests(file, await readInputFile(file)));
  }
  const text =
    flags.policy === undefined
      ? policyIn(manifests, flags.policyConfigmap)
      : await readInputFile(flags.policy);
  const policyFrom = flags.policy ?? `ConfigMap ${flags.policyConfigmap} of the dump`;
  if (text === undefined) {
    throw new InvalidInput(
      `no policy: the dump has no ConfigMap ${flags.policyConfigmap} with the key policy.yaml; give a file with --policy`,
    );
  }
  const world = await readWorld(readDump(manifests), rememberDocuments(UNVERIFIED));
  return { world, policy: policyFromText(policyFrom, text), policyFrom, verified: false };
}

async function fromCluster(flags: WorldFlags): Promise<WorldInput> {
  const { namespace, policyConfigmap } = flags;
  const rest = restOf(flags);
  const signer = await signerOf(rest, namespace, flags.signingKeySecret);
  const policyFrom = flags.policy ?? `ConfigMap ${namespace}/${policyConfigmap}`;
  const text =
    flags.policy === undefined
      ? await policyOf(rest, namespace, policyConfigmap)
      : await readInputFile(flags.policy);
  const policy = policyFromText(policyFrom, text);
  const world = await readWorld(readCluster(rest), rememberDocuments(signer ?? UNVERIFIED));
  return { world, policy, policyFrom, verified: signer !== undefined };
}

/** The text of a file, or of standard input for "-". */
export async function readInputFile(file: string): Promise<string> {
  try {
    return file === "-" ? await readAll(process.stdin) : await readFile(file, "utf8");
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new InvalidInput(`${file}: cannot be read: ${reason}`, { cause: error });
  }
}

/** The policy of a document; throws `InvalidInput` with each problem and its line. */
export function policyFromText(where: string, text: string): RetentionPolicy {
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
