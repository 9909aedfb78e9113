import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { stringify } from "yaml";
import type { Cluster } from "../cluster/cluster.ts";
import type { CommandResult } from "../cluster/command-line.ts";
import type { Velero } from "../cluster/velero.ts";
import type { Api, Ref, Stored } from "../e2e/api.ts";
import type { Volume } from "../e2e/real-velero.ts";
import type { Manifest } from "../e2e/objects.ts";
import { changesBetween } from "./change.ts";
import type { Screen } from "./screen.ts";

/** Where the story plays: what is done is shown, and what is shown was done. */
export interface Stage {
  readonly screen: Screen;
  readonly cluster: Cluster;
  readonly velero: Velero;
  /** The volume that is backed up. */
  readonly shop: Volume;
  readonly api: Api;
  /** The directory of the manifests that were applied. */
  readonly files: string;
  /** Begins the next step. */
  step(title: string, words: string): void;
  /** Runs the real kubectl and shows the command with all that it says. */
  kubectl(args: readonly string[], how?: How): Promise<CommandResult>;
  /** Runs the real `velero` command line, and shows it in the same way. */
  runVelero(args: readonly string[]): Promise<CommandResult>;
  /** Writes a manifest to a file, creates the object by kubectl, and shows how it was stored. */
  create(file: string, manifest: Manifest, how?: How): Promise<Stored>;
  /** Writes a file to use in a kubectl command. */
  write(file: string, text: string): Promise<string>;
}

/** How to run a command. */
interface How {
  /** Impersonates this user. */
  readonly as?: string;
  /** The command may fail: that is what is to be seen. */
  readonly mayFail?: boolean;
}

/** What a stage is made of. */
export interface StageOptions {
  readonly screen: Screen;
  readonly cluster: Cluster;
  readonly velero: Velero;
  readonly api: Api;
  readonly shop: Volume;
  readonly steps: number;
  readonly signal: AbortSignal;
}

/** Sets the stage on a running cluster. */
export async function setStage(options: StageOptions): Promise<Stage> {
  const { screen, cluster, velero, api, shop, steps, signal } = options;
  const files = join(cluster.directory, "demo");
  await mkdir(files);
  let number = 0;

  async function show(command: readonly string[], run: () => Promise<CommandResult>): Promise<CommandResult> {
    screen.command(command.map(quoted).join(" ").replaceAll(`${files}/`, ""));
    const result = await run();
    // Errors name files, too.
    screen.output(`${result.stderr}${result.stdout}`.replaceAll(`${files}/`, ""));
    return result;
  }
  function expectSuccess(command: string, { code }: CommandResult): void {
    if (code !== 0) throw new Error(`${command} ended with ${code}`);
  }
  async function kubectl(args: readonly string[], how: How = {}): Promise<CommandResult> {
    const { as, mayFail = false } = how;
    const all = [...args, ...(as === undefined ? [] : [`--as=${as}`])];
    const options = { allowFailure: true, signal };
    const result = await show(["kubectl", ...all], async () => cluster.kubectl(all, options));
    if (!mayFail) expectSuccess(`kubectl ${args.join(" ")}`, result);
    return result;
  }
  async function runVelero(args: readonly string[]): Promise<CommandResult> {
    const options = { allowFailure: true, signal };
    const result = await show(["velero", ...args], async () => velero.velero(args, options));
    expectSuccess(`velero ${args.join(" ")}`, result);
    return result;
  }
  async function write(file: string, text: string): Promise<string> {
    const path = join(files, file);
    await writeFile(path, text);
    return path;
  }
  async function create(file: string, manifest: Manifest, how: How = {}): Promise<Stored> {
    const path = await write(file, stringify(manifest, { lineWidth: 0 }));
    const { stdout } = await kubectl(["create", "-f", path], how);
    const stored = await api.read(created(manifest, stdout));
    screen.changes(`${manifest.kind} ${stored.metadata.name}`, changesBetween(manifest, stored));
    return stored;
  }
  return {
    screen,
    cluster,
    velero,
    shop,
    api,
    files,
    kubectl,
    runVelero,
    create,
    write,
    step: (title, words) => {
      screen.title(`${++number}/${steps}  ${title}`);
      screen.say(words);
    },
  };
}

/** kubectl says `volumesnapshot.snapshot.storage.k8s.io/velero-data-x7k2p created`; only it knows a generated name. */
function created({ apiVersion, kind, metadata: { namespace } }: Manifest, said: string): Ref {
  const name = /\/(\S+) created/.exec(said)?.[1];
  if (name === undefined) throw new Error(`kubectl did not say what it created: ${said}`);
  return { apiVersion, kind, metadata: { name, namespace } };
}

function quoted(argument: string): string {
  return /[\s"{}]/.test(argument) ? `'${argument}'` : argument;
}
