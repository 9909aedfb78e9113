import { mkdtemp, mkdir } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { findPorts } from "./ports.ts";

/** Where everything of one cluster lies. */
export interface Layout {
  readonly directory: string;
  /** What is of no use once the cluster has ended. */
  readonly scratch: string;
  readonly logs: string;
  readonly kubeconfigs: string;
  readonly certificates: string;
  readonly caFile: string;
  readonly adminKubeconfig: string;
  readonly controllerManagerKubeconfig: string;
  readonly serviceAccountKey: string;
  readonly serviceAccountPublicKey: string;
  readonly tokens: string;
  readonly auditPolicy: string;
  readonly auditLog: string;
  readonly ports: { readonly etcd: number; readonly etcdPeer: number; readonly apiserver: number };
  readonly server: string;
  logFile(component: string): string;
}

/** Makes the one temporary directory of a cluster and chooses its ports. */
export async function createLayout(): Promise<Layout> {
  // A short name: the path of a unix socket has 107 bytes at most, and temporary directories are long on some systems.
  const directory = await mkdtemp(join(tmpdir(), "retainer-"));
  const [etcd, etcdPeer, apiserver] = await findPorts(3);
  if (etcd === undefined || etcdPeer === undefined || apiserver === undefined) throw new Error("no ports");
  const scratch = join(directory, "scratch");
  const logs = join(directory, "logs");
  const kubeconfigs = join(directory, "kubeconfigs");
  for (const each of [scratch, logs, kubeconfigs]) await mkdir(each);
  return {
    directory,
    scratch,
    logs,
    kubeconfigs,
    certificates: join(directory, "certificates"),
    caFile: join(directory, "ca.crt"),
    adminKubeconfig: join(directory, "admin.kubeconfig"),
    controllerManagerKubeconfig: join(kubeconfigs, "kube-controller-manager.kubeconfig"),
    serviceAccountKey: join(directory, "service-account.key"),
    serviceAccountPublicKey: join(directory, "service-account.pub"),
    tokens: join(directory, "tokens.csv"),
    auditPolicy: join(directory, "audit-policy.json"),
    auditLog: join(logs, "audit.log"),
    ports: { etcd, etcdPeer, apiserver },
    server: `https://127.0.0.1:${apiserver}`,
    logFile: (component) => join(logs, `${component}.log`),
  };
}
