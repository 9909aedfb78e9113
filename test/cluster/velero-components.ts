import { mkdir, symlink, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";

import type { ApiClient } from "./api-client.ts";
import type { VeleroBinaries } from "./build.ts";
import type { Cluster } from "./cluster.ts";
import { findPorts } from "./ports.ts";
import type { Component } from "./process.ts";
import { BUCKET, NODE_AGENT_CONFIG } from "./velero-objects.ts";

/** What the processes of one Velero have in common. */
export interface VeleroSetup {
  readonly cluster: Cluster;
  readonly binaries: VeleroBinaries;
  readonly client: ApiClient;
  readonly namespace: string;
  /** Of the ServiceAccount that `velero install` gives to both. */
  readonly kubeconfig: string;
  /** Where they keep what is of no use once they have ended. */
  readonly scratch: string;
}

/** An S3 server that keeps a bucket in memory: what it holds goes with it. */
export async function s3Server(
  setup: Omit<VeleroSetup, "kubeconfig">,
): Promise<Component & { readonly url: string }> {
  const [port = 0] = await findPorts(1);
  const url = `http://127.0.0.1:${port}`;
  return {
    ...named(setup, "s3-server"),
    url,
    command: setup.binaries.s3Server,
    args: [`-address=127.0.0.1:${port}`, `-bucket=${BUCKET}`],
    isReady: async () => (await fetch(`${url}/${BUCKET}`)).ok,
    readyWithinMs: 15_000,
  };
}

/** `velero server`; ready when it has found its storage location available. */
export async function veleroServer(setup: VeleroSetup, flags: readonly string[]): Promise<Component> {
  const { binaries, namespace, scratch, client } = setup;
  const [metrics = 0, profiler = 0] = await findPorts(2);
  const plugins = join(scratch, "plugins");
  const credentials = join(scratch, "cloud");
  await mkdir(plugins);
  await writeFile(credentials, "[default]\naws_access_key_id=demo\naws_secret_access_key=demo\n");
  await symlink(binaries.awsPlugin, join(plugins, "velero-plugin-for-aws"));
  const location = `/apis/velero.io/v1/namespaces/${namespace}/backupstoragelocations/default`;
  return {
    ...named(setup, "velero-server"),
    command: binaries.velero,
    args: [
      "server",
      "--features=EnableCSI",
      "--uploader-type=kopia",
      `--plugin-dir=${plugins}`,
      `--metrics-address=127.0.0.1:${metrics}`,
      `--profiler-address=127.0.0.1:${profiler}`,
      ...flags,
    ],
    // As `velero install` gives them. In a Secret of the location's, Velero would write the file anew for each of several
    // backups at once, and one sometimes reads it half written.
    env: { ...environment(setup), AWS_SHARED_CREDENTIALS_FILE: credentials },
    isReady: async () =>
      (await fetch(`http://127.0.0.1:${metrics}/metrics`)).ok &&
      (await client.get(location)).body.includes('"phase":"Available"'),
    readyWithinMs: 60_000,
  };
}

/** `velero node-agent server` of a node. */
export async function nodeAgent(
  setup: VeleroSetup,
  node: string,
  flags: readonly string[],
): Promise<Component> {
  const [metrics = 0] = await findPorts(1);
  return {
    ...named(setup, `node-agent-${node}`),
    command: setup.binaries.velero,
    args: [
      "node-agent",
      "server",
      "--features=EnableCSI",
      `--metrics-address=127.0.0.1:${metrics}`,
      `--node-agent-configmap=${NODE_AGENT_CONFIG}`,
      ...flags,
    ],
    env: { ...environment(setup), NODE_NAME: node },
    isReady: async () => (await fetch(`http://127.0.0.1:${metrics}/metrics`)).ok,
    readyWithinMs: 60_000,
  };
}

// Several installations may log beside each other.
function named(
  { cluster, namespace }: Pick<VeleroSetup, "cluster" | "namespace">,
  name: string,
): Pick<Component, "name" | "logFile"> {
  return { name, logFile: join(dirname(cluster.auditLog), `${name}-${namespace}.log`) };
}

function environment({ kubeconfig, namespace, scratch }: VeleroSetup): Record<string, string> {
  return {
    KUBECONFIG: kubeconfig,
    VELERO_NAMESPACE: namespace,
    HOME: scratch,
    TMPDIR: scratch,
  };
}
