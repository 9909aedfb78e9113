import { writeFile } from "node:fs/promises";
import { join } from "node:path";

import { createApiClient, type ApiClient } from "./api-client.ts";
import type { Binaries } from "./build.ts";
import { runProgram, type Program } from "./command-line.ts";
import { createComponents, type Components } from "./components.ts";
import {
  etcd,
  kubeApiserver,
  kubeControllerManager,
  writeControlPlaneFiles,
  type Tokens,
} from "./control-plane.ts";
import { AMPLE_REQUESTS, createDriver, type Driver, type DriverOptions } from "./csi-driver.ts";
import { kubeconfig, writeServiceAccountKubeconfig } from "./identity.ts";
import { createLayout, type Layout } from "./layout.ts";
import { asList, driverObjects, veleroAccount } from "./objects.ts";
import { findPorts } from "./ports.ts";
import type { Component } from "./process.ts";

/** Everything that is decided about a cluster before its first process runs. */
export interface Plan {
  readonly binaries: Binaries;
  readonly layout: Layout;
  readonly tokens: Tokens;
  readonly client: ApiClient;
  readonly components: Components;
  readonly drivers: readonly Driver[];
  readonly driverOptions: readonly DriverOptions[];
  readonly apiServerFlags: readonly string[];
}

const DEFAULT_DRIVERS: readonly DriverOptions[] = [{ name: "array.csi.snapshot-retainer.io", limit: 32 }];

/** Makes the directory, the keys and the ports of a cluster. */
export async function planCluster(
  binaries: Binaries,
  {
    drivers: driverOptions = DEFAULT_DRIVERS,
    apiServerFlags = [],
  }: { readonly drivers?: readonly DriverOptions[]; readonly apiServerFlags?: readonly string[] },
): Promise<Plan> {
  const layout = await createLayout();
  const tokens = await writeControlPlaneFiles(layout);
  const ports = await findPorts(driverOptions.length);
  const drivers = driverOptions.map((driver, index) => {
    const suffix = index === 0 ? "" : `-${index + 1}`;
    return createDriver(binaries, layout, { ...driver, port: ports[index] ?? 0, suffix });
  });
  const client = createApiClient(layout.server, layout.caFile, tokens.admin);
  return {
    binaries,
    layout,
    tokens,
    client,
    components: createComponents(layout.scratch),
    drivers,
    driverOptions,
    apiServerFlags,
  };
}

/** Starts every component in the order in which they need each other. */
export async function bringUp(plan: Plan, signal?: AbortSignal): Promise<void> {
  const { binaries, layout, tokens, client, components, drivers } = plan;
  await Promise.all([
    components.start(etcd(binaries, layout), signal),
    components.start(kubeApiserver(plan), signal),
    ...drivers.map(async ({ plugin }) => plugin && components.start(plugin, signal)),
  ]);
  const admin = kubeconfig(layout, "admin", tokens.admin);
  await writeFile(layout.adminKubeconfig, admin, { mode: 0o600 });
  const controllerManager = kubeconfig(layout, "kube-controller-manager", tokens.controllerManager);
  await writeFile(layout.controllerManagerKubeconfig, controllerManager, { mode: 0o600 });
  await Promise.all([
    components.start(kubeControllerManager(binaries, layout, client), signal),
    startSnapshotting(plan, signal),
  ]);
}

/** A program of this cluster, acting as its administrator, with its caches inside the cluster's directory. */
export function program(name: string, path: string, layout: Layout): Program {
  const environment = {
    KUBECONFIG: layout.adminKubeconfig,
    HOME: layout.scratch,
    PATH: process.env["PATH"] ?? "",
  };
  return { name, path, environment };
}

async function startSnapshotting(plan: Plan, signal?: AbortSignal): Promise<void> {
  await installApis(plan, signal);
  const { binaries, layout, components, drivers } = plan;
  const [controller, snapshotter, provisioner] = await Promise.all([
    kubeSystemAccount(plan, "snapshot-controller"),
    kubeSystemAccount(plan, "csi-snapshotter"),
    kubeSystemAccount(plan, "csi-provisioner"),
  ]);
  await Promise.all([
    components.start(snapshotController(binaries, layout, controller), signal),
    ...drivers
      .flatMap((driver) => driver.sidecars({ snapshotter, provisioner }))
      .map(async (sidecar) => components.start(sidecar, signal)),
  ]);
}

async function installApis({ binaries, layout, driverOptions }: Plan, signal?: AbortSignal): Promise<void> {
  const kubectl = program("kubectl", binaries.kubectl, layout);
  const options = { ...(signal && { signal }) };
  const apply = ["apply", "--server-side", "-f"];
  await Promise.all([
    runProgram(kubectl, [...apply, binaries.crds], options),
    runProgram(kubectl, [...apply, binaries.rbac, "--namespace=kube-system"], options),
    runProgram(kubectl, [...apply, "-"], { ...options, stdin: asList(veleroAccount("velero")) }),
  ]);
  await runProgram(
    kubectl,
    ["wait", "--for=condition=Established", "--timeout=60s", "crd", "--all"],
    options,
  );
  await runProgram(kubectl, [...apply, "-"], {
    ...options,
    stdin: asList(driverOptions.flatMap(driverObjects)),
  });
}

async function kubeSystemAccount({ client, layout }: Plan, name: string): Promise<string> {
  return writeServiceAccountKubeconfig(client, layout, layout.kubeconfigs, {
    namespace: "kube-system",
    name,
  });
}

function snapshotController(binaries: Binaries, layout: Layout, kubeconfigFile: string): Component {
  return {
    name: "snapshot-controller",
    command: binaries.snapshotController,
    args: [`--kubeconfig=${kubeconfigFile}`, "--leader-election=false", ...AMPLE_REQUESTS],
    logFile: join(layout.logs, "snapshot-controller.log"),
    readyWithinMs: 15_000,
  };
}
