import { rm } from "node:fs/promises";

import { bringUp, planCluster, program, type Plan } from "./bring-up.ts";
import { buildBinaries, type Binaries } from "./build.ts";
import { runProgram, type CommandOptions, type CommandResult } from "./command-line.ts";
import type { DriverOptions } from "./csi-driver.ts";
import { writeServiceAccountKubeconfig } from "./identity.ts";
import { ComponentFailed } from "./process.ts";
import { recordCalls } from "./recorded-calls.ts";
import type { StorageArray } from "./storage-array.ts";

/** What a cluster is made of; everything has a default. */
export interface ClusterOptions {
  /** Built for the demo where absent. */
  readonly binaries?: Binaries;
  /** CSI drivers, each with an array of its own; one with room for 32 snapshots a volume where absent. */
  readonly drivers?: readonly DriverOptions[];
  /** Further flags of the API server. */
  readonly apiServerFlags?: readonly string[];
  readonly signal?: AbortSignal;
}

/** What a caller may say beside kubectl's arguments. */
interface KubectlOptions extends CommandOptions {
  /** Impersonates this user; ServiceAccounts are written system:serviceaccount:NAMESPACE:NAME. */
  readonly as?: string;
}

/** A running Kubernetes control plane with the snapshot components, all of them real; the arrays alone hold no data. */
export interface Cluster {
  readonly server: string;
  /** Its etcd, for what an API server would take too long for. */
  readonly etcd: string;
  readonly caFile: string;
  /** A kubeconfig file for an administrator. */
  readonly kubeconfig: string;
  readonly directory: string;
  /** One JSON document a line, at level Metadata: who asked for what, and the annotations of admission. */
  readonly auditLog: string;
  readonly binaries: Binaries;
  /** The first driver's array. */
  readonly array: StorageArray;
  readonly arrays: readonly StorageArray[];
  /** Aborted when a component goes away that nobody stopped; the reason names it and shows the end of its log. */
  readonly failed: AbortSignal;
  kubectl(args: readonly string[], options?: KubectlOptions): Promise<CommandResult>;
  helm(args: readonly string[], options?: CommandOptions): Promise<CommandResult>;
  /** Writes a kubeconfig that acts as a ServiceAccount, which has to exist, and returns the file. */
  kubeconfigFor(namespace: string, serviceAccount: string): Promise<string>;
  componentNames(): string[];
  pidOf(component: string): number;
  stopComponent(name: string): Promise<void>;
  /** Starts a stopped or killed component again, or restarts a running one, and waits until it is ready. */
  startComponent(name: string): Promise<void>;
  kill(name: string, signal: NodeJS.Signals): void;
  /** Ends everything and removes the directory, unless it is to be kept or a component had failed. */
  stop(options?: { readonly keep?: boolean }): Promise<void>;
}

/** A cluster that did not come up. The message says why, and where the logs are; the cause is what was thrown. */
export class ClusterNotStarted extends Error {
  override readonly name = "ClusterNotStarted";

  constructor(logs: string, cause: unknown) {
    const why = cause instanceof Error ? cause.message : String(cause);
    super(`The cluster did not start; its logs are in ${logs}. ${why}`, { cause });
  }
}

/**
 * Starts a cluster and returns when it can be used. Where a component does not come up, everything is ended, the logs
 * stay, and the error names the component and shows the end of its log. The signal gives up the start, without a trace;
 * later it has no effect.
 */
export async function startCluster(options: ClusterOptions = {}): Promise<Cluster> {
  const { signal } = options;
  const binaries = options.binaries ?? (await buildBinaries("demo", { ...(signal && { signal }) }));
  for (let attempt = 1; ; attempt++) {
    const plan = await planCluster(binaries, options);
    try {
      await bringUp(plan, signal);
      plan.components.failed.throwIfAborted();
      return describeCluster(plan);
    } catch (error) {
      const notStarted = new ClusterNotStarted(plan.layout.logs, whyNotStarted(plan, error));
      const isOnceMore = attempt < ATTEMPTS && isPortTaken(notStarted);
      await endCluster(plan, { keep: !isOnceMore && signal?.aborted !== true });
      signal?.throwIfAborted();
      if (!isOnceMore) throw notStarted;
    }
  }
}

// Another program may take a port between our looking at it and a component's listening there.
const ATTEMPTS = 3;

function isPortTaken(error: Error): boolean {
  return error.message.includes("address already in use");
}

function describeCluster(plan: Plan): Cluster {
  const { binaries, layout, client, components } = plan;
  const arrays = plan.drivers.map(({ array }) => array);
  const [array] = arrays;
  if (array === undefined) throw new Error("a cluster needs at least one driver");
  const kubectl = program("kubectl", binaries.kubectl, layout);
  const helm = program("helm", binaries.helm, layout);
  return {
    server: layout.server,
    etcd: `http://127.0.0.1:${layout.ports.etcd}`,
    caFile: layout.caFile,
    kubeconfig: layout.adminKubeconfig,
    directory: layout.directory,
    auditLog: layout.auditLog,
    binaries,
    array,
    arrays,
    failed: components.failed,
    kubectl: async (args, { as, ...rest } = {}) =>
      runProgram(kubectl, as === undefined ? args : [`--as=${as}`, ...args], rest),
    helm: async (args, rest) => runProgram(helm, args, rest),
    kubeconfigFor: async (namespace, name) =>
      writeServiceAccountKubeconfig(client, layout, layout.kubeconfigs, { namespace, name }),
    componentNames: () => components.names(),
    pidOf: (name) => components.pidOf(name),
    stopComponent: async (name) => components.stop(name),
    startComponent: async (name) => components.restart(name),
    kill: (name, signal) => components.kill(name, signal),
    stop: async ({ keep = false } = {}) => endCluster(plan, { keep: keep || components.failed.aborted }),
  };
}

// A component that died is the reason for whatever failed after it.
function whyNotStarted({ components }: Plan, error: unknown): unknown {
  return components.failed.aborted && !(error instanceof ComponentFailed) ? components.failed.reason : error;
}

async function endCluster({ components, layout }: Plan, { keep }: { keep: boolean }): Promise<void> {
  await components.end();
  await recordCalls(layout.auditLog);
  await rm(keep ? layout.scratch : layout.directory, { recursive: true, force: true });
}
