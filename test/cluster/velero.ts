import { mkdtemp } from "node:fs/promises";
import { join } from "node:path";

import { createApiClient, type ApiClient } from "./api-client.ts";
import type { Cluster } from "./cluster.ts";
import { tokenIn } from "./identity.ts";
import { runProgram, type CommandOptions, type CommandResult } from "./command-line.ts";
import { createComponents, type Components } from "./components.ts";
import type { ChooseBehaviour, MoverBehaviour, Movement } from "./data-mover-stand-in.ts";
import { startKubelet } from "./kubelet-stand-in.ts";
import { asList } from "./objects.ts";
import { startScheduler } from "./scheduler-stand-in.ts";
import { nodeAgent, s3Server, veleroServer, type VeleroSetup } from "./velero-components.ts";
import {
  restoreArguments,
  untilRestoreEnded,
  type EndedRestore,
  type RestoreOptions,
} from "./velero-restores.ts";
import { untilEnded, untilGone, type EndedBackup } from "./velero-backups.ts";
import { installationObjects, type VeleroStorage } from "./velero-objects.ts";

/** Where Velero is to run, and how. */
export interface VeleroOptions {
  /** "velero" where absent; another one is made. */
  readonly namespace?: string;
  /** How many nodes with a node-agent there are, 1 where absent: each prepares one volume at a time. */
  readonly nodes?: number;
  /** How many volumes each node copies at the same time, 16 where absent. */
  readonly movementsAtOnce?: number;
  /** Further flags of `velero server`; they win over the usual ones. */
  readonly serverFlags?: readonly string[];
  /** Further flags of `velero node-agent server`. */
  readonly nodeAgentFlags?: readonly string[];
  /** Where another Velero stores: both see the same backups. An S3 server and prefix of its own where absent. */
  readonly storage?: VeleroStorage;
  readonly signal?: AbortSignal;
}

/** Which volumes a backup is of. */
export interface BackupOptions {
  readonly namespaces: readonly string[];
  /** Further flags of `velero backup create`. */
  readonly flags?: readonly string[];
}

/** The programs of one Velero. */
export type VeleroProgram = "server" | "node-agent";

/** A real Velero with its node-agent, both processes under Velero's own account, storing in an S3 server in memory. */
export interface Velero {
  readonly namespace: string;
  readonly storage: VeleroStorage;
  /** Aborted when one of its processes goes away that nobody stopped. */
  readonly failed: AbortSignal;
  /** Runs the `velero` command line as an administrator. */
  velero(args: readonly string[], options?: CommandOptions): Promise<CommandResult>;
  /** Makes a data-mover backup by `velero backup create`, and resolves when it has ended, however it did. */
  backup(name: string, options: BackupOptions): Promise<EndedBackup>;
  /** Makes it, and does not wait. */
  beginBackup(name: string, options: BackupOptions): Promise<void>;
  /** Resolves when the Backup has ended. */
  ended(name: string): Promise<EndedBackup>;
  /** Deletes a backup by `velero backup delete`, and resolves when the Backup object is gone. */
  deleteBackup(name: string): Promise<void>;
  /** Resolves when there is no such Backup. */
  gone(name: string): Promise<void>;
  /** Restores a backup by `velero restore create`, and resolves when the Restore has ended, however it did. */
  restore(name: string, options: RestoreOptions): Promise<EndedRestore>;
  /** Begins it, and does not wait. */
  beginRestore(name: string, options: RestoreOptions): Promise<void>;
  /** Resolves when the Restore has ended. */
  restoreEnded(name: string): Promise<EndedRestore>;
  /** What `velero restore describe --details` prints. */
  describeRestore(name: string): Promise<string>;
  /** What data mover Pods do from now on, those that hang included; "ok" at the start. */
  setMoverBehaviour(behaviour: MoverBehaviour | ChooseBehaviour): void;
  /** Signals a program, the node-agents of all nodes at once. */
  kill(program: VeleroProgram, signal: NodeJS.Signals): void;
  /** Starts a program that was stopped or killed, and waits until it is ready. */
  start(program: VeleroProgram): Promise<void>;
  /** Ends its processes; what it made in the cluster stays. To be called before the cluster is stopped. */
  stop(): Promise<void>;
}

/** Installs and starts Velero in a cluster whose binaries were built for "all"; returns when it takes backups. */
export async function startVelero(cluster: Cluster, options: VeleroOptions = {}): Promise<Velero> {
  const { namespace = "velero", nodes = 1 } = options;
  const { velero: binaries } = cluster.binaries;
  if (binaries === undefined) throw new Error('Velero is not built: ask for the binaries of the set "all"');
  const scratch = await mkdtemp(join(cluster.directory, `${namespace}-`));
  const client = await administrator(cluster);
  const setup = { cluster, binaries, client, namespace, scratch };
  const components = createComponents(scratch);
  const names = Array.from({ length: nodes }, (_, index) => `${namespace}-node-${index + 1}`);
  let behaviour: MoverBehaviour | ChooseBehaviour = "ok";
  function choose(movement: Movement): MoverBehaviour {
    return typeof behaviour === "string" ? behaviour : behaviour(movement);
  }
  let storage: VeleroStorage;
  try {
    storage = await startPrograms(setup, components, { ...options, nodes: names });
  } catch (error) {
    await components.end();
    throw error;
  }
  const kubelet = await startKubelet({ client, nodes: names, namespace, choose });
  const scheduler = startScheduler({ client, node: names[0] ?? "" });
  return {
    ...describeBackups(setup, components.failed),
    namespace,
    storage,
    failed: components.failed,
    setMoverBehaviour: (next) => {
      behaviour = next;
    },
    kill: (program, signal) => {
      for (const name of componentsOf(program, names)) components.kill(name, signal);
    },
    start: async (program) => {
      await Promise.all(componentsOf(program, names).map(async (name) => components.restart(name)));
    },
    stop: async () => {
      await Promise.all([kubelet.stop(), scheduler.stop()]);
      await components.end();
    },
  };
}

function componentsOf(program: VeleroProgram, nodes: readonly string[]): string[] {
  return program === "server" ? ["velero-server"] : nodes.map((node) => `node-agent-${node}`);
}

type Backups = Pick<
  Velero,
  | "velero"
  | "beginBackup"
  | "ended"
  | "backup"
  | "deleteBackup"
  | "gone"
  | "restore"
  | "beginRestore"
  | "restoreEnded"
  | "describeRestore"
>;

function describeBackups(setup: Place, failed: AbortSignal): Backups {
  const { binaries, client, namespace } = setup;
  const program = { name: "velero", path: binaries.velero, environment: commandLine(setup) };
  const watched = { client, namespace, failed };
  async function velero(args: readonly string[], rest?: CommandOptions): Promise<CommandResult> {
    return runProgram(program, args, rest);
  }
  async function beginBackup(name: string, { namespaces, flags = [] }: BackupOptions): Promise<void> {
    const scope = `--include-namespaces=${namespaces.join(",")}`;
    await velero(["backup", "create", name, "--snapshot-move-data", scope, ...flags]);
  }
  async function beginRestore(name: string, given: RestoreOptions): Promise<void> {
    await velero(restoreArguments(name, given));
  }
  return {
    velero,
    beginBackup,
    beginRestore,
    restoreEnded: async (name) => untilRestoreEnded(watched, name),
    restore: async (name, given) => {
      await beginRestore(name, given);
      return untilRestoreEnded(watched, name);
    },
    describeRestore: async (name) => (await velero(["restore", "describe", name, "--details"])).stdout,
    ended: async (name) => untilEnded(watched, name),
    backup: async (name, given) => {
      await beginBackup(name, given);
      return untilEnded(watched, name);
    },
    gone: async (name) => untilGone(watched, name),
    deleteBackup: async (name) => {
      await velero(["backup", "delete", name, "--confirm"]);
      await untilGone(watched, name);
    },
  };
}

// Left to itself Velero looks every 10 s whether data has moved, at one volume and one backup at a time, and every hour for
// what has expired.
const IMPATIENT = [
  "--item-operation-sync-frequency=1s",
  "--item-block-worker-count=8",
  "--concurrent-backups=16",
  "--garbage-collection-frequency=10s",
  "--backup-sync-period=10s",
  "--store-validation-frequency=10s",
];

type Place = Omit<VeleroSetup, "kubeconfig">;

interface How extends Omit<VeleroOptions, "nodes"> {
  readonly nodes: readonly string[];
}

async function startPrograms(place: Place, components: Components, how: How): Promise<VeleroStorage> {
  const { nodes, signal, movementsAtOnce = 16, serverFlags = [], nodeAgentFlags = [] } = how;
  const { cluster, namespace } = place;
  const s3 = how.storage === undefined ? await s3Server(place) : undefined;
  const storage = how.storage ?? { url: s3?.url ?? "", prefix: namespace };
  const objects = asList(installationObjects({ namespace, storage, movementsAtOnce }));
  await Promise.all([
    s3 && components.start(s3, signal),
    cluster.kubectl(["apply", "--server-side", "-f", "-"], { stdin: objects }),
  ]);
  const setup = { ...place, kubeconfig: await cluster.kubeconfigFor(namespace, "velero") };
  await Promise.all([
    components.start(await veleroServer(setup, [...IMPATIENT, ...serverFlags]), signal),
    ...nodes.map(async (node) => components.start(await nodeAgent(setup, node, nodeAgentFlags), signal)),
  ]);
  return storage;
}

function commandLine({ cluster, namespace, scratch }: Place): Record<string, string> {
  return {
    KUBECONFIG: cluster.kubeconfig,
    VELERO_NAMESPACE: namespace,
    HOME: scratch,
    PATH: process.env["PATH"] ?? "",
  };
}

async function administrator({ kubeconfig, server, caFile }: Cluster): Promise<ApiClient> {
  return createApiClient(server, caFile, await tokenIn(kubeconfig));
}
