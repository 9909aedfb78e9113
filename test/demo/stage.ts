import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { stringify } from "yaml";
import type { Cluster } from "../cluster/cluster.ts";
import type { CommandResult } from "../cluster/command-line.ts";
import { createApi } from "../e2e/api.ts";
import type { Api, Ref, Stored } from "../e2e/api.ts";
import type { Manifest } from "../e2e/objects.ts";
import { changesBetween } from "./change.ts";
import type { Screen } from "./screen.ts";

/** Where the story plays: what is done is shown, and what is shown was done. */
export interface Stage {
  readonly screen: Screen;
  readonly cluster: Cluster;
  readonly api: Api;
  /** The directory of the manifests that were applied. */
  readonly files: string;
  /** Begins the next step. */
  step(title: string, words: string): void;
  /** Runs the real kubectl and shows the command with all that it says. */
  kubectl(args: readonly string[], how?: How): Promise<CommandResult>;
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
  readonly steps: number;
  readonly signal: AbortSignal;
}

/** Sets the stage on a running cluster. */
export async function setStage({ screen, cluster, steps, signal }: StageOptions): Promise<Stage> {
  const files = join(cluster.directory, "demo");
  await mkdir(files);
  const api = await createApi(cluster);
  let number = 0;

  async function kubectl(args: readonly string[], how: How = {}): Promise<CommandResult> {
    const { as, mayFail = false } = how;
    const identity = as === undefined ? [] : [`--as=${as}`];
    screen.command(["kubectl", ...args, ...identity].map(quoted).join(" ").replaceAll(`${files}/`, ""));
    const result = await cluster.kubectl([...args, ...identity], { allowFailure: true, signal });
    // Errors name files, too.
    screen.output(`${result.stderr}${result.stdout}`.replaceAll(`${files}/`, ""));
    if (result.code !== 0 && !mayFail) throw new Error(`kubectl ${args.join(" ")} ended with ${result.code}`);
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
    api,
    files,
    kubectl,
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
