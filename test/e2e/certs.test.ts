import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { readFile } from "node:fs/promises";
import { once } from "node:events";
import { createServer, type Server } from "node:https";
import { json } from "node:stream/consumers";
import { after, afterEach, before, beforeEach, describe, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { KubeConfig } from "@kubernetes/client-node";
import * as z from "zod";
import { startAuthority } from "../../certs/authority.ts";
import { splitCertificates } from "../../certs/inspect.ts";
import { createCertificatePorts } from "../../certs/ports.ts";
import type { ConfigurationRef } from "../../certs/publish.ts";
import { loadOrCreateSigningKey } from "../../certs/signing-key.ts";
import { waitForPair, type CertificateLog, type CertificateSource } from "../../certs/source.ts";
import { availableBinaries } from "../cluster/availability.ts";
import { startCluster, type Cluster } from "../cluster/cluster.ts";

const { binaries, skip } = await availableBinaries("demo");

const Configuration = z.object({
  metadata: z.object({
    resourceVersion: z.string(),
    managedFields: z.array(z.object({ manager: z.string(), operation: z.string(), fieldsV1: z.json() })),
  }),
  webhooks: z.array(
    z.looseObject({ name: z.string(), clientConfig: z.looseObject({ caBundle: z.string().optional() }) }),
  ),
});
type Configuration = z.infer<typeof Configuration>;

const TlsSecret = z.object({
  metadata: z.object({ resourceVersion: z.string(), uid: z.string() }),
  type: z.string(),
  data: z.record(z.string(), z.base64()).default({}),
});

const AuditEntry = z.looseObject({
  verb: z.string(),
  stage: z.string(),
  objectRef: z
    .looseObject({ resource: z.string(), namespace: z.string(), name: z.string() })
    .partial()
    .optional(),
  requestReceivedTimestamp: z.string(),
  responseStatus: z.looseObject({ code: z.number() }).optional(),
});

const Review = z.object({ request: z.object({ uid: z.string() }) });

const quiet: CertificateLog = { info: () => undefined, warn: () => undefined, error: () => undefined };

/** A watch tells within milliseconds; the rest is for a busy machine. Below the poll's 20 seconds. */
const WATCHED_MS = 10_000;
/** Five replicas that start at once lose many races to each other, which takes seconds on a busy machine. */
const STARTED_MS = 40_000;
const NAMESPACE = "retainer";
const ACCOUNT = "webhook";
const NAME = "retainer";
const refs: readonly ConfigurationRef[] = [
  { kind: "MutatingWebhookConfiguration", name: NAME },
  { kind: "ValidatingWebhookConfiguration", name: NAME },
];

/** Exactly what the chart grants for certificates, so that a call it does not cover fails here. */
const RBAC = `
apiVersion: v1
kind: Namespace
metadata: { name: ${NAMESPACE} }
---
apiVersion: v1
kind: Namespace
metadata: { name: guarded }
---
apiVersion: v1
kind: ConfigMap
metadata: { name: touched, namespace: guarded }
---
apiVersion: v1
kind: ServiceAccount
metadata: { name: ${ACCOUNT}, namespace: ${NAMESPACE} }
---
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: { name: certs, namespace: ${NAMESPACE} }
rules:
  - { apiGroups: [""], resources: [secrets], verbs: [create] }
  - { apiGroups: [""], resources: [secrets], resourceNames: [tls, key], verbs: [get, watch, update] }
  - { apiGroups: [coordination.k8s.io], resources: [leases], verbs: [get, list, watch, create, patch, delete] }
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: { name: certs, namespace: ${NAMESPACE} }
roleRef: { apiGroup: rbac.authorization.k8s.io, kind: Role, name: certs }
subjects: [{ kind: ServiceAccount, name: ${ACCOUNT}, namespace: ${NAMESPACE} }]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: { name: retainer-certs }
rules:
  - apiGroups: [admissionregistration.k8s.io]
    resources: [mutatingwebhookconfigurations, validatingwebhookconfigurations]
    resourceNames: [${NAME}]
    verbs: [get, watch, patch]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: { name: retainer-certs }
roleRef: { apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: retainer-certs }
subjects: [{ kind: ServiceAccount, name: ${ACCOUNT}, namespace: ${NAMESPACE} }]
---
apiVersion: v1
kind: ServiceAccount
metadata: { name: reader, namespace: ${NAMESPACE} }
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: { name: retainer-reader }
roleRef: { apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: retainer-reader }
subjects: [{ kind: ServiceAccount, name: reader, namespace: ${NAMESPACE} }]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: { name: retainer-reader }
rules:
  - { apiGroups: ["", admissionregistration.k8s.io], resources: ["*"], verbs: [get, list, watch] }
  - { apiGroups: [coordination.k8s.io], resources: [leases], verbs: [get, list, watch, create, patch, delete] }
`;

let cluster: Cluster;
let kubeconfig: string;

// Two minutes on an idle machine; the limit makes a hanging test a failed one.
describe("certificates on a real control plane", { skip, timeout: 600_000 }, () => {
  let server: Server;
  let replicas: CertificateSource[];
  let warnings: string[];

  before(async () => {
    cluster = await startCluster(binaries === undefined ? {} : { binaries });
    await apply(RBAC);
    kubeconfig = await cluster.kubeconfigFor(NAMESPACE, ACCOUNT);
  });

  after(async () => {
    await cluster.stop();
  });

  beforeEach(async () => {
    replicas = [];
    warnings = [];
    server = await startWebhookServer();
    await apply(configurations(["first", "second"], server));
  });

  afterEach(async () => {
    await Promise.all(replicas.map((replica) => replica.stop()));
    server.closeAllConnections();
    server.close();
    await deleteAll();
  });

  /** Starts a replica of its own: with a client of its own, and with no more rights than the chart grants. */
  function startReplica(
    names: readonly string[] = ["127.0.0.1"],
    credentials = kubeconfig,
    rotateEveryMs?: number,
  ): CertificateSource {
    const log: CertificateLog = {
      info: () => undefined,
      warn: (fields) => void warnings.push(JSON.stringify(fields)),
      error: (fields) => assert.fail(JSON.stringify(fields)),
    };
    const replica = startAuthority({
      ...createCertificatePorts(load(credentials)),
      namespace: NAMESPACE,
      secretName: "tls",
      identity: `serving-${randomBytes(4).toString("hex")}`,
      names,
      rotateEveryMs,
      configurations: refs,
      now: () => new Date(),
      clock: () => performance.now(),
      randomBytes,
      log,
      signal: new AbortController().signal,
    });
    replicas.push(replica);
    return replica;
  }

  async function startServing(names?: readonly string[]): Promise<CertificateSource> {
    const replica = startReplica(names);
    const { cert, key } = await waitForPair(replica, AbortSignal.timeout(WATCHED_MS));
    server.setSecureContext({ cert, key });
    replica.subscribe((pair) => server.setSecureContext({ cert: pair.cert, key: pair.key }));
    await until("published", () => replica.published());
    return replica;
  }

  test("five replicas that start at once end with one CA, one serving certificate and one bundle", async () => {
    const begun = new Date();
    const all = Array.from({ length: 5 }, () => startReplica());
    await until("all published", () => all.every((replica) => replica.published()), STARTED_MS);
    const secret = await readSecret("tls");
    assert.equal(secret.type, "kubernetes.io/tls");
    assert.equal(splitCertificates(secret.text("ca.crt")).length, 1);
    for (const replica of all) {
      assert.equal(replica.current()?.cert, secret.text("tls.crt"));
      assert.equal(replica.current()?.key, secret.text("tls.key"));
      assert.equal(replica.problem(), undefined);
    }
    for (const ref of refs)
      assert.deepEqual(await bundles(ref), [secret.text("ca.crt"), secret.text("ca.crt")]);
    await assertOneWriter("tls", begun);
    // Nobody had anything to complain about, and none of them goes on writing.
    assert.deepEqual(warnings, []);
    await sleep(3_000);
    assert.equal((await readSecret("tls")).resourceVersion, secret.resourceVersion);
  });

  test("five replicas that find an unfinished Secret at once end with what one of them wrote", async () => {
    await cluster.kubectl(["create", "secret", "generic", "tls", "-n", NAMESPACE]);
    const begun = new Date();
    const all = Array.from({ length: 5 }, () => startReplica());
    await until("all published", () => all.every((replica) => replica.published()), STARTED_MS);
    const codes = await answers("update", "tls", begun);
    assert.ok(codes.length > 1, `only ${String(codes.length)} tried to update the Secret`);
    assert.equal(codes.filter((code) => code === 200).length, 1);
    const secret = await readSecret("tls");
    for (const replica of all) assert.equal(replica.current()?.cert, secret.text("tls.crt"));
  });

  test("the API server calls the webhook over the published chain", async () => {
    await assert.rejects(touchConfigMap(), /failed to call webhook/);
    await startServing();
    await eventually("a call", touchConfigMap);
  });

  for (const [name, patch] of [
    ["is removed", { op: "remove", path: "/webhooks/1/clientConfig/caBundle" }],
    ["is emptied", { op: "replace", path: "/webhooks/1/clientConfig/caBundle", value: "" }],
    ["is another's", { op: "replace", path: "/webhooks/0/clientConfig/caBundle", value: btoa("not ours") }],
  ] as const) {
    test(`a caBundle that ${name} is repaired`, async () => {
      const replica = await startServing();
      for (const ref of refs) {
        await cluster.kubectl(["patch", ref.kind, ref.name, "--type=json", "-p", JSON.stringify([patch])]);
        const ca = replica.current()?.ca;
        await eventually("repaired", async () => assert.deepEqual(await bundles(ref), [ca, ca]));
      }
      await until("published", () => replica.published());
    });
  }

  test("touches and owns caBundle alone", async () => {
    const before = await Promise.all(refs.map(readConfiguration));
    const replica = await startServing();
    for (const [index, ref] of refs.entries()) {
      const found = await readConfiguration(ref);
      const ca = btoa(replica.current()?.ca ?? "");
      const wanted = before[index]?.webhooks.map((hook) => ({
        ...hook,
        clientConfig: { ...hook.clientConfig, caBundle: ca },
      }));
      assert.deepEqual(found.webhooks, wanted);
      const own = found.metadata.managedFields.filter(({ manager }) => manager === "snapshot-retainer-certs");
      const caBundle = { "f:clientConfig": { "f:caBundle": {} } };
      assert.deepEqual(
        own.map(({ fieldsV1 }) => fieldsV1),
        [
          {
            "f:webhooks": {
              'k:{"name":"first.retainer.example"}': caBundle,
              'k:{"name":"second.retainer.example"}': caBundle,
            },
          },
        ],
      );
      const others = found.metadata.managedFields.filter(
        ({ manager }) => manager !== "snapshot-retainer-certs",
      );
      assert.deepEqual(others, before[index]?.metadata.managedFields);
    }
  });

  test("whoever applied a configuration can drop a webhook from it, add one and apply it again", async () => {
    const replica = await startServing();
    const ca = replica.current()?.ca;
    for (const webhooks of [["first", "second"], ["first"], ["first", "third", "fourth"]]) {
      await apply(configurations(webhooks, server));
      for (const ref of refs) {
        const wanted = webhooks.map(() => ca);
        await eventually("published", async () => assert.deepEqual(await bundles(ref), wanted));
      }
    }
    await eventually("a call", touchConfigMap);
  });

  test("takes a caBundle over that an older release has applied", async () => {
    await apply(configurations(["first", "second"], server, btoa("old")));
    const replica = await startServing();
    for (const ref of refs)
      assert.deepEqual(await bundles(ref), [replica.current()?.ca, replica.current()?.ca]);
    await apply(configurations(["first", "second"], server));
    for (const ref of refs)
      assert.deepEqual(await bundles(ref), [replica.current()?.ca, replica.current()?.ca]);
  });

  test("a deleted Secret is created anew, every replica serves it, and the bundle follows", async () => {
    const serving = await startServing();
    const others = [startReplica(), startReplica()];
    await until("all published", () => others.every((replica) => replica.published()));
    const old = await readSecret("tls");
    await cluster.kubectl(["delete", "secret", "tls", "-n", NAMESPACE]);
    const all = [serving, ...others];
    await until("all on a new CA", () =>
      all.every((replica) => replica.current()?.ca !== old.text("ca.crt")),
    );
    await until("all published", () => all.every((replica) => replica.published()));
    const secret = await readSecret("tls");
    for (const replica of all) assert.equal(replica.current()?.cert, secret.text("tls.crt"));
    for (const ref of refs)
      assert.deepEqual(await bundles(ref), [secret.text("ca.crt"), secret.text("ca.crt")]);
    // The server was not restarted, only told.
    await eventually("a call", touchConfigMap);
  });

  test("a reissued serving certificate is loaded by every replica without a restart, and nobody undoes it", async () => {
    const old = await startServing(["127.0.0.1", "old.example"]);
    const told: string[] = [];
    old.subscribe(({ cert }) => void told.push(cert));
    const upgraded = startReplica(["127.0.0.1", "new.example"]);
    const wanted = ["127.0.0.1", "new.example", "old.example"];
    await until("serving all names", () => old.current()?.names.length === wanted.length);
    assert.deepEqual(old.current()?.names.toSorted(), wanted);
    await until("published", () => old.published() && upgraded.published());
    const secret = await readSecret("tls");
    assert.equal(secret.text("ca.crt"), old.current()?.ca);
    await eventually("a call", touchConfigMap);
    await sleep(3_000);
    assert.equal((await readSecret("tls")).resourceVersion, secret.resourceVersion);
    assert.deepEqual(told, [secret.text("tls.crt")]);
  });

  test("a CA that shall sign next waits for a replica that has not confirmed it, and no longer than that lives", async () => {
    const mute = {
      name: "serving-mute",
      namespace: NAMESPACE,
      labels: { "snapshot-retainer.io/serving": "true" },
    };
    await apply(JSON.stringify({ apiVersion: "coordination.k8s.io/v1", kind: "Lease", metadata: mute }));
    startReplica(["127.0.0.1"], kubeconfig, 1_000);
    async function trusted(): Promise<string[]> {
      return splitCertificates((await readSecret("tls")).text("ca.crt"));
    }
    const [signer, next] = await eventually("a next CA", async () => {
      const cas = await trusted();
      assert.equal(cas.length, 2);
      return cas;
    });
    for (const ref of refs) {
      await eventually("published", async () => {
        assert.deepEqual(await bundles(ref), [`${signer}${next}`, `${signer}${next}`]);
      });
    }
    await sleep(3_000);
    assert.deepEqual(await trusted(), [signer, next]);

    await cluster.kubectl(["delete", "lease", "serving-mute", "-n", NAMESPACE]);
    await eventually("signed by another CA", async () =>
      assert.ok(!(await trusted()).includes(signer ?? "")),
    );
  });

  const halfWritten: Record<string, Record<string, string>> = {
    empty: {},
    "with the user's own rubbish": { "ca.crt": "rubbish", "tls.crt": "", other: "stays" },
    "without a serving certificate": { "ca.crt": "", "ca.key": "", "tls.crt": "half", "tls.key": "half" },
  };
  for (const [name, stringData] of Object.entries(halfWritten)) {
    test(`a half-written Secret, ${name}, is adopted and completed`, async () => {
      await apply(
        JSON.stringify({
          apiVersion: "v1",
          kind: "Secret",
          metadata: { name: "tls", namespace: NAMESPACE, labels: { "user.example/label": "stays" } },
          type: "Opaque",
          stringData,
        }),
      );
      const { uid } = await readSecret("tls");
      const replica = await startServing();
      const secret = await readSecret("tls");
      assert.equal(secret.uid, uid);
      assert.equal(secret.text("tls.crt"), replica.current()?.cert);
      if ("other" in stringData) assert.equal(secret.text("other"), "stays");
    });
  }

  test("an absent configuration is named, and published to as soon as it is there", async () => {
    await cluster.kubectl(["delete", refs.map(({ kind }) => kind).join(","), "--all"]);
    const replica = startReplica();
    await waitForPair(replica, AbortSignal.timeout(WATCHED_MS));
    await until("a problem", () => replica.problem() !== undefined);
    assert.match(
      replica.problem() ?? "",
      /MutatingWebhookConfiguration "retainer" does not exist.*install the chart.*ValidatingWebhookConfiguration/,
    );
    assert.equal(replica.published(), false);
    await apply(configurations(["first"], server));
    await until("published", () => replica.published() && replica.problem() === undefined);
    for (const ref of refs) assert.deepEqual(await bundles(ref), [replica.current()?.ca]);
  });

  test("missing rights are named, with what to grant, and nothing ends", async () => {
    const replica = startReplica(["127.0.0.1"], await cluster.kubeconfigFor(NAMESPACE, "default"));
    await until("a problem", () => replica.problem() !== undefined);
    assert.match(
      replica.problem() ?? "",
      /^cannot read Secret retainer\/tls: GET .*: 403: .*cannot get resource "secrets".*; grant the ServiceAccount get, list, watch and update/,
    );
    assert.equal(replica.current(), undefined);
  });

  test("is not published while a caBundle is missing and cannot be repaired", async () => {
    await startServing();
    const reader = startReplica(["127.0.0.1"], await cluster.kubeconfigFor(NAMESPACE, "reader"));
    await until("published", () => reader.published());
    assert.equal(reader.problem(), undefined);
    await Promise.all(replicas.filter((replica) => replica !== reader).map((replica) => replica.stop()));
    const [ref] = refs;
    assert.ok(ref !== undefined);
    const patch = [{ op: "remove", path: "/webhooks/1/clientConfig/caBundle" }];
    await cluster.kubectl(["patch", ref.kind, ref.name, "--type=json", "-p", JSON.stringify(patch)]);
    await until("not published", () => !reader.published() && reader.problem() !== undefined);
    assert.match(
      reader.problem() ?? "",
      /^cannot write caBundle into MutatingWebhookConfiguration "retainer": PATCH .*: 403: .*; grant the ServiceAccount get, list, watch and patch/,
    );
    assert.notEqual(reader.current(), undefined);
    const repairing = startReplica();
    await until("published again", () => reader.published() && repairing.published());
  });

  test("an outage of the API server is survived, and what changed meanwhile is repaired", async () => {
    const replica = await startServing();
    const pair = replica.current();
    await cluster.stopComponent("kube-apiserver");
    await until("a problem", () => replica.problem() !== undefined, 90_000);
    assert.match(
      replica.problem() ?? "",
      /cannot read Secret retainer\/tls: .*the API server cannot be reached/,
    );
    assert.equal(replica.current(), pair);
    assert.equal(replica.published(), true);
    await cluster.startComponent("kube-apiserver");
    await apply(configurations(["first", "late"], server));
    for (const ref of refs) {
      await eventually(
        "repaired",
        async () => assert.deepEqual(await bundles(ref), [pair?.ca, pair?.ca]),
        60_000,
      );
    }
    await until("well", () => replica.problem() === undefined, 60_000);
    assert.ok(warnings.length > 0);
  });

  test("five replicas that need a signing key at once get the same 32 bytes", async () => {
    const begun = new Date();
    const signal = AbortSignal.timeout(WATCHED_MS);
    const loaded = await Promise.all(
      Array.from({ length: 5 }, () => {
        const { rest } = createCertificatePorts(load(kubeconfig));
        return loadOrCreateSigningKey({
          rest,
          namespace: NAMESPACE,
          name: "key",
          randomBytes,
          log: quiet,
          signal,
        });
      }),
    );
    const secret = await readSecret("key");
    assert.equal(secret.bytes("key")?.length, 32);
    for (const key of loaded) assert.deepEqual(key, secret.bytes("key"));
    await assertOneWriter("key", begun);
  });

  test("a signing key that is too short is replaced, one that is there is kept", async () => {
    await cluster.kubectl([
      "create",
      "secret",
      "generic",
      "key",
      "-n",
      NAMESPACE,
      "--from-literal=key=short",
    ]);
    const { rest } = createCertificatePorts(load(kubeconfig));
    const signal = AbortSignal.timeout(WATCHED_MS);
    const options = { rest, namespace: NAMESPACE, name: "key", randomBytes, log: quiet, signal };
    const key = await loadOrCreateSigningKey(options);
    assert.equal(key.length, 32);
    assert.deepEqual(await loadOrCreateSigningKey(options), key);
  });
});

/** Answers every admission review with yes; its certificate is set once there is one. */
async function startWebhookServer(): Promise<Server> {
  const server = createServer((request, response) => {
    json(request)
      .then((body) => {
        const { uid } = Review.parse(body).request;
        const answer = {
          apiVersion: "admission.k8s.io/v1",
          kind: "AdmissionReview",
          response: { uid, allowed: true },
        };
        response.setHeader("Content-Type", "application/json").end(JSON.stringify(answer));
      })
      .catch(() => response.writeHead(400).end());
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return server;
}

/** Both configurations as a chart would apply them; they fail closed on ConfigMaps of one namespace, so that a test can see. */
function configurations(webhooks: readonly string[], server: Server, caBundle?: string): string {
  const address = server.address();
  assert.ok(typeof address === "object" && address !== null);
  const url = `https://127.0.0.1:${String(address.port)}/review`;
  const items = refs.map(({ kind, name }) => ({
    apiVersion: "admissionregistration.k8s.io/v1",
    kind,
    metadata: { name },
    webhooks: webhooks.map((webhook) => ({
      name: `${webhook}.retainer.example`,
      admissionReviewVersions: ["v1"],
      sideEffects: "None",
      failurePolicy: "Fail",
      timeoutSeconds: 5,
      clientConfig: { url, ...(caBundle === undefined ? {} : { caBundle }) },
      namespaceSelector: { matchLabels: { "kubernetes.io/metadata.name": "guarded" } },
      rules: [{ apiGroups: [""], apiVersions: ["v1"], resources: ["configmaps"], operations: ["UPDATE"] }],
    })),
  }));
  return JSON.stringify({ apiVersion: "v1", kind: "List", items });
}

/** Changes an object that all webhooks of both configurations are asked about. */
async function touchConfigMap(): Promise<void> {
  await cluster.kubectl([
    "annotate",
    "configmap",
    "touched",
    "-n",
    "guarded",
    "--overwrite",
    `at=${randomBytes(8).toString("hex")}`,
  ]);
}

/** Applies as Helm 4, Flux and Argo CD do. */
async function apply(manifest: string): Promise<void> {
  await cluster.kubectl(["apply", "--server-side", "--field-manager=helm", "-f", "-"], { stdin: manifest });
}

async function deleteAll(): Promise<void> {
  await cluster.kubectl(["delete", ...refs.map(({ kind }) => kind).slice(0, 1), NAME, "--ignore-not-found"]);
  await cluster.kubectl(["delete", "validatingwebhookconfiguration", NAME, "--ignore-not-found"]);
  await cluster.kubectl(["delete", "secret", "tls", "key", "-n", NAMESPACE, "--ignore-not-found"]);
}

async function readConfiguration({ kind, name }: ConfigurationRef): Promise<Configuration> {
  const { stdout } = await cluster.kubectl(["get", kind, name, "-o", "json", "--show-managed-fields"]);
  return Configuration.parse(JSON.parse(stdout));
}

async function bundles(ref: ConfigurationRef): Promise<(string | undefined)[]> {
  const { webhooks } = await readConfiguration(ref);
  return webhooks.map(({ clientConfig: { caBundle } }) =>
    caBundle === undefined ? undefined : atob(caBundle),
  );
}

interface ReadSecret {
  readonly resourceVersion: string;
  readonly uid: string;
  readonly type: string;
  bytes(entry: string): Buffer | undefined;
  text(entry: string): string | undefined;
}

async function readSecret(name: string): Promise<ReadSecret> {
  const { stdout } = await cluster.kubectl(["get", "secret", name, "-n", NAMESPACE, "-o", "json"]);
  const { metadata, type, data } = TlsSecret.parse(JSON.parse(stdout));
  function bytes(entry: string): Buffer | undefined {
    return data[entry] === undefined ? undefined : Buffer.from(data[entry], "base64");
  }
  return { ...metadata, type, bytes, text: (entry) => bytes(entry)?.toString() };
}

/** The answers of the API server to all who tried to create or update a Secret since then. */
async function answers(verb: "create" | "update", name: string, since: Date): Promise<number[]> {
  const lines = (await readFile(cluster.auditLog, "utf8")).trim().split("\n");
  return lines
    .map((line) => AuditEntry.safeParse(JSON.parse(line)).data)
    .filter((entry) => entry !== undefined)
    .filter(({ objectRef }) => objectRef?.resource === "secrets" && objectRef.name === name)
    .filter((entry) => entry.verb === verb && entry.stage === "ResponseComplete")
    .filter(({ requestReceivedTimestamp }) => new Date(requestReceivedTimestamp) >= since)
    .map(({ responseStatus }) => responseStatus?.code ?? 0);
}

/** Everybody tried, or it was no race; exactly one was let through, and nobody wrote over what that one wrote. */
async function assertOneWriter(name: string, since: Date): Promise<void> {
  const codes = await answers("create", name, since);
  assert.ok(codes.length > 1, `only ${String(codes.length)} tried to create the Secret`);
  assert.equal(codes.filter((code) => code === 201).length, 1);
  assert.deepEqual(await answers("update", name, since), []);
}

function load(file: string): KubeConfig {
  const config = new KubeConfig();
  config.loadFromFile(file);
  return config;
}

async function until(what: string, condition: () => boolean, withinMs = WATCHED_MS): Promise<void> {
  await eventually(what, async () => assert.ok(condition()), withinMs);
}

async function eventually<T>(what: string, attempt: () => Promise<T>, withinMs = WATCHED_MS): Promise<T> {
  const end = performance.now() + withinMs;
  for (;;) {
    try {
      return await attempt();
    } catch (cause) {
      if (performance.now() > end) throw new Error(`not ${what} within ${String(withinMs)} ms`, { cause });
      await sleep(50);
    }
  }
}
