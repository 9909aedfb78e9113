import { generateKeyPair, randomBytes } from "node:crypto";
import { existsSync } from "node:fs";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";

import { splitCertificates } from "../../certs/inspect.ts";
import type { ApiClient } from "./api-client.ts";
import type { Binaries } from "./build.ts";
import type { Layout } from "./layout.ts";
import type { Component } from "./process.ts";

/** Tokens of the two identities that exist before any ServiceAccount does. */
export interface Tokens {
  readonly admin: string;
  readonly controllerManager: string;
}

/** Writes what the API server reads at its start: keys, tokens and the audit policy. */
export async function writeControlPlaneFiles(layout: Layout): Promise<Tokens> {
  const tokens = {
    admin: randomBytes(16).toString("hex"),
    controllerManager: randomBytes(16).toString("hex"),
  };
  const { privateKey, publicKey } = await promisify(generateKeyPair)("rsa", {
    modulusLength: 2048,
    publicKeyEncoding: { type: "spki", format: "pem" },
    privateKeyEncoding: { type: "pkcs8", format: "pem" },
  });
  await writeFile(layout.serviceAccountKey, privateKey, { mode: 0o600 });
  await writeFile(layout.serviceAccountPublicKey, publicKey);
  const users = [
    `${tokens.admin},admin,admin,"system:masters"`,
    `${tokens.controllerManager},system:kube-controller-manager,kube-controller-manager`,
  ];
  await writeFile(layout.tokens, `${users.join("\n")}\n`, { mode: 0o600 });
  await writeFile(layout.auditPolicy, JSON.stringify(AUDIT_POLICY));
  return tokens;
}

/** etcd, without waiting for the disk: this cluster's data need not survive a power cut. */
export function etcd(binaries: Binaries, layout: Layout): Component {
  const client = `http://127.0.0.1:${layout.ports.etcd}`;
  const peer = `http://127.0.0.1:${layout.ports.etcdPeer}`;
  return {
    name: "etcd",
    command: binaries.etcd,
    args: [
      `--data-dir=${layout.scratch}/etcd`,
      // The benchmark stores some 200,000 objects; the usual 2 GiB are for what grows unnoticed.
      "--quota-backend-bytes=8589934592",
      "--unsafe-no-fsync",
      `--listen-client-urls=${client}`,
      `--advertise-client-urls=${client}`,
      `--listen-peer-urls=${peer}`,
      `--initial-advertise-peer-urls=${peer}`,
      `--initial-cluster=default=${peer}`,
    ],
    logFile: layout.logFile("etcd"),
    isReady: async () => (await fetch(`${client}/health`)).ok,
    readyWithinMs: 30_000,
  };
}

/** What the API server is started with. */
interface ApiServerSetup {
  readonly binaries: Binaries;
  readonly layout: Layout;
  readonly client: ApiClient;
  readonly apiServerFlags: readonly string[];
}

/** kube-apiserver with RBAC, ServiceAccount tokens and an audit log at level Metadata. */
export function kubeApiserver({ binaries, layout, client, apiServerFlags }: ApiServerSetup): Component {
  return {
    name: "kube-apiserver",
    command: binaries.kubeApiserver,
    args: [
      `--etcd-servers=http://127.0.0.1:${layout.ports.etcd}`,
      "--bind-address=127.0.0.1",
      `--secure-port=${layout.ports.apiserver}`,
      "--advertise-address=127.0.0.1",
      // A loopback address may not stand in the Endpoints of the service `kubernetes`, and nothing here uses that.
      "--endpoint-reconciler-type=none",
      `--cert-dir=${layout.certificates}`,
      "--service-cluster-ip-range=10.0.0.0/24",
      "--authorization-mode=RBAC",
      `--token-auth-file=${layout.tokens}`,
      "--service-account-issuer=https://kubernetes.default.svc",
      `--service-account-key-file=${layout.serviceAccountPublicKey}`,
      `--service-account-signing-key-file=${layout.serviceAccountKey}`,
      // It would have every pod wait for a token mounted by a kubelet.
      "--disable-admission-plugins=ServiceAccount",
      `--audit-policy-file=${layout.auditPolicy}`,
      `--audit-log-path=${layout.auditLog}`,
      "--allow-privileged",
      "--profiling=false",
      ...apiServerFlags,
    ],
    logFile: layout.logFile("kube-apiserver"),
    isReady: async () => {
      if (!existsSync(layout.caFile)) await copyAuthority(layout);
      const isServing = (await client.get("/readyz")).status === 200;
      // It is ready before it has made its own namespaces.
      return isServing && (await client.get("/api/v1/namespaces/kube-system")).status === 200;
    },
    readyWithinMs: 120_000,
  };
}

/** kube-controller-manager, each of its controllers under its own account as in a real cluster. */
export function kubeControllerManager(binaries: Binaries, layout: Layout, client: ApiClient): Component {
  return {
    name: "kube-controller-manager",
    command: binaries.kubeControllerManager,
    args: [
      `--kubeconfig=${layout.controllerManagerKubeconfig}`,
      "--leader-elect=false",
      "--secure-port=0",
      "--use-service-account-credentials",
      `--service-account-private-key-file=${layout.serviceAccountKey}`,
      `--root-ca-file=${layout.caFile}`,
      "--kube-api-qps=200",
      "--kube-api-burst=400",
    ],
    logFile: layout.logFile("kube-controller-manager"),
    // It serves nothing to ask; this account is made by one of its controllers.
    isReady: async () =>
      (await client.get("/api/v1/namespaces/default/serviceaccounts/default")).status === 200,
    readyWithinMs: 120_000,
  };
}

const AUDIT_POLICY = {
  apiVersion: "audit.k8s.io/v1",
  kind: "Policy",
  omitStages: ["RequestReceived"],
  rules: [{ level: "Metadata" }],
};

/**
 * The API server makes its own certificate, and writes the authority that signed it behind it in the same file. Throws while it has
 * not written both to their ends: what was read in the middle of that would be taken for the authority from then on.
 */
async function copyAuthority(layout: Layout): Promise<void> {
  const chain = await readFile(join(layout.certificates, "apiserver.crt"), "utf8");
  const [, authority, ...more] = splitCertificates(chain);
  if (authority === undefined || more.length > 0) throw new Error("the certificate is still being written");
  await writeFile(layout.caFile, authority);
}
