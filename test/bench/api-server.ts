import { randomUUID } from "node:crypto";
import { readFile } from "node:fs/promises";
import { Agent, request } from "node:https";
import { exportCel } from "../../src/policy/export-cel.ts";
import { RetentionPolicy } from "../../src/policy/schema.ts";
import type { Cluster } from "../cluster/cluster.ts";
import { tokenIn } from "../cluster/identity.ts";
import { readMetric } from "../e2e/metrics.ts";
import { installProduct } from "../e2e/product.ts";
import { figure, median, percentile, print, spread } from "./figures.ts";
import { MEASURED } from "./report.ts";
import type { Report } from "./report.ts";
import type { Server } from "./servers.ts";
import { judged } from "./targets.ts";

const ROUNDS = 5;
const LIMIT = "backup.velero.io/data-mover-snapshot-to-retain";

/** What may stand in the way of a create, in a namespace of its own. */
interface Way {
  readonly name: string;
  readonly namespace: string;
  /** Where it is a webhook. */
  readonly server?: Server;
}

/** Sends an object to be created; the answer's text. Rejects for any status but 201. */
type Create = (path: string, object: object) => Promise<string>;

/**
 * What the API server takes longer to create a Backup, with each of these webhooks, with a MutatingAdmissionPolicy, and with nothing:
 * one at a time, with 16 clients, and in the shape in which Kyverno publishes its figures.
 */
export async function measureApiServer(
  cluster: Cluster,
  servers: readonly Server[],
  { seconds }: { readonly seconds: number },
  report: Report,
): Promise<void> {
  const create = await createClient(cluster);
  const ways = [await wayOf(cluster, "none"), await policyWay(cluster)];
  for (const server of servers) ways.push(await webhookWay(cluster, server));
  for (const way of ways) await untilItActs(create, way);
  const compared: Compared[] = [];
  for (const clients of [1, 16]) {
    print(`creating Backups, ${clients} at once`);
    compared.push({ clients, rounds: await compareWays(create, ways, { clients, seconds }) });
  }
  await report.table("api-server", "creating a Backup through the API server", latenciesTable(compared));
  await report.table("api-server-target", "target", [["Target", MEASURED], addedTarget(compared)]);
  const rows: string[][] = [];
  for (const users of [10, 50, 200, 500]) {
    print(`${users} virtual users`);
    rows.push(...(await asKyvernoDoes(create, ways, { users, seconds })));
  }
  await report.table("virtual-users", "virtual users, each creating one Backup after another", [
    USERS,
    ...rows,
  ]);
  report.lines("others", [await countOthers(cluster, create)]);
}

const USERS = [
  "virtual users, way",
  "average, ms",
  "p95, ms",
  "p99, ms",
  "creates/s",
  "CPU of the webhook for each, µs",
];

async function wayOf(cluster: Cluster, name: string): Promise<Way> {
  const namespace = `bench-${name.toLowerCase().replaceAll(" ", "-")}`;
  await cluster.kubectl(["create", "namespace", namespace]);
  return { name, namespace };
}

async function webhookWay(cluster: Cluster, server: Server): Promise<Way> {
  const { port, path, ca } = server;
  const way = { ...(await wayOf(cluster, server.name)), server };
  await apply(cluster, [
    {
      apiVersion: "admissionregistration.k8s.io/v1",
      kind: "MutatingWebhookConfiguration",
      metadata: { name: way.namespace },
      webhooks: [
        {
          name: "bench.snapshot-retainer.io",
          admissionReviewVersions: ["v1"],
          sideEffects: "None",
          failurePolicy: "Fail",
          timeoutSeconds: 10,
          clientConfig: { url: `https://127.0.0.1:${port}${path}`, caBundle: btoa(ca) },
          namespaceSelector: { matchLabels: { "kubernetes.io/metadata.name": way.namespace } },
          rules: [
            { apiGroups: ["velero.io"], apiVersions: ["v1"], resources: ["backups"], operations: ["CREATE"] },
          ],
        },
      ],
    },
  ]);
  return way;
}

async function policyWay(cluster: Cluster): Promise<Way> {
  const way = await wayOf(cluster, "CEL policy");
  const policy = RetentionPolicy.parse({
    apiVersion: "snapshot-retainer.io/v1alpha1",
    kind: "RetentionPolicy",
    snapshotsToRetain: 3,
    velero: { namespaces: [way.namespace] },
  });
  await apply(cluster, exportCel(policy, way.namespace));
  return way;
}

async function apply(cluster: Cluster, objects: readonly object[]): Promise<void> {
  const stdin = JSON.stringify({ apiVersion: "v1", kind: "List", items: objects });
  await cluster.kubectl(["apply", "-f", "-"], { stdin });
}

/** The API server learns of a configuration a moment after it is stored. */
async function untilItActs(create: Create, way: Way): Promise<void> {
  if (way.name === "none") return;
  const end = performance.now() + 30_000;
  for (;;) {
    if ((await createBackup(create, way)).includes(LIMIT)) return;
    if (performance.now() > end) throw new Error(`${way.name} changes no Backup in ${way.namespace}`);
  }
}

async function createBackup(create: Create, { namespace }: Way): Promise<string> {
  return create(`/apis/velero.io/v1/namespaces/${namespace}/backups`, {
    apiVersion: "velero.io/v1",
    kind: "Backup",
    metadata: {
      name: randomUUID(),
      annotations: { note: "x".repeat(200) },
      labels: { "velero.io/schedule-name": "nightly" },
    },
    spec: { snapshotMoveData: true, includedNamespaces: ["prod-*"], ttl: "720h0m0s" },
  });
}

/**
 * Milliseconds that each create took, sorted, by way: every client goes from way to way, so that all of them meet the same API
 * server, whose own times vary by more than what any way adds.
 */
async function run(
  create: Create,
  ways: readonly Way[],
  { clients, seconds }: { readonly clients: number; readonly seconds: number },
): Promise<ReadonlyMap<string, Float64Array>> {
  const latencies = new Map<string, number[]>(ways.map(({ name }) => [name, []]));
  const end = performance.now() + seconds * 1000;
  async function drive(client: number): Promise<void> {
    for (let turn = client; performance.now() < end; turn += 1) {
      const way = ways[turn % ways.length];
      if (way === undefined) return;
      const begun = performance.now();
      await createBackup(create, way);
      latencies.get(way.name)?.push(performance.now() - begun);
    }
  }
  await Promise.all(Array.from({ length: clients }, async (_, client) => drive(client)));
  return new Map([...latencies].map(([name, measured]) => [name, Float64Array.from(measured).sort()]));
}

interface Round {
  readonly p50: number;
  readonly added: number;
  readonly p99: number;
}

/** What was measured with so many clients, by way, round by round. */
interface Compared {
  readonly clients: number;
  readonly rounds: ReadonlyMap<string, readonly Round[]>;
}

async function compareWays(
  create: Create,
  ways: readonly Way[],
  load: { readonly clients: number; readonly seconds: number },
): Promise<Compared["rounds"]> {
  const rounds = new Map<string, Round[]>(ways.map(({ name }) => [name, []]));
  for (let round = 0; round <= ROUNDS; round += 1) {
    const measured = await run(create, ways, { ...load, seconds: load.seconds * ways.length });
    const nothing = percentile(measured.get("none") ?? new Float64Array(), 0.5);
    for (const [name, latencies] of measured) {
      const p50 = percentile(latencies, 0.5);
      // The first round only warms them up.
      if (round > 0) rounds.get(name)?.push({ p50, added: p50 - nothing, p99: percentile(latencies, 0.99) });
    }
  }
  return rounds;
}

function latenciesTable(compared: readonly Compared[]): string[][] {
  const rows = compared.flatMap(({ clients, rounds }) =>
    [...rounds].map(([name, all]) => [
      `${clients}, ${name}`,
      ...(["p50", "added", "p99"] as const).map((key) => spread(all.map((one) => one[key]))),
    ]),
  );
  return [["clients, way", "p50, ms", "added p50, ms", "p99, ms"], ...rows];
}

function addedTarget(compared: readonly Compared[]): string[] {
  function added({ rounds }: Compared, name: string): number {
    return median((rounds.get(name) ?? []).map((one) => one.added));
  }
  return judged({
    target: "added p50 at most 1.1 of what bare adds",
    measured: compared.map((one) => ({
      where: one.clients === 1 ? "one client" : `${one.clients} clients`,
      value: added(one, "ours") / added(one, "bare"),
    })),
    isMet: (times) => times <= 1.1,
  });
}

/** Every way alone, forwards and backwards, since the API server is not the same from one second to the next. */
async function asKyvernoDoes(
  create: Create,
  ways: readonly Way[],
  load: { readonly users: number; readonly seconds: number },
): Promise<string[][]> {
  const runs = new Map<Way, VirtualUsers[]>(ways.map((way) => [way, []]));
  for (const way of [...ways, ...ways.toReversed()]) runs.get(way)?.push(await crowd(create, way, load));
  return [...runs].map(([{ name }, both]) => {
    const latencies = Float64Array.from(both.flatMap((one) => [...one.latencies])).sort();
    const average = latencies.reduce((sum, one) => sum + one, 0) / latencies.length;
    const figures = [average, percentile(latencies, 0.95), percentile(latencies, 0.99)];
    const rate = latencies.length / (both.length * load.seconds);
    const cpuSeconds = both.reduce((sum, one) => sum + one.cpuSeconds, 0);
    const cpu = cpuSeconds === 0 ? "" : figure((cpuSeconds * 1e6) / latencies.length);
    return [`${load.users}, ${name}`, ...figures.map(figure), figure(rate), cpu];
  });
}

/** What one run of virtual users measured: milliseconds of each create, and what the webhook's process used for them. */
interface VirtualUsers {
  readonly latencies: Float64Array;
  readonly cpuSeconds: number;
}

async function crowd(
  create: Create,
  way: Way,
  { users, seconds }: { readonly users: number; readonly seconds: number },
): Promise<VirtualUsers> {
  const before = await way.server?.usage();
  const latencies = (await run(create, [way], { clients: users, seconds })).get(way.name);
  const after = await way.server?.usage();
  const cpuSeconds = (after?.cpuSeconds ?? 0) - (before?.cpuSeconds ?? 0);
  return { latencies: latencies ?? new Float64Array(), cpuSeconds };
}

const OTHERS = 200;

/** What we do not act on must not even reach us: asked of the chart's own configuration, and counted by the webhook. */
async function countOthers(cluster: Cluster, create: Create): Promise<string> {
  const product = await installProduct(cluster);
  try {
    const namespace = "bench-others";
    await cluster.kubectl(["create", "namespace", namespace]);
    await cluster.kubectl(["create", "serviceaccount", "default", "-n", namespace], { allowFailure: true });
    const before = await readMetric(product.running(), "snapshot_retainer_admission_requests_total");
    for (let index = 0; index < OTHERS; index += 1) {
      for (const [path, object] of others(namespace, `other-${index}`)) await create(path, object);
    }
    const after = await readMetric(product.running(), "snapshot_retainer_admission_requests_total");
    const kinds = "Pods, Secrets, ConfigMaps, VolumeSnapshots and VolumeSnapshotContents of other people";
    return `${OTHERS} each of ${kinds}: ${after - before} of these requests reached the webhook`;
  } finally {
    await product.stop();
  }
}

function others(namespace: string, name: string): [string, object][] {
  const core = `/api/v1/namespaces/${namespace}`;
  const snapshots = "/apis/snapshot.storage.k8s.io/v1";
  const metadata = { name, namespace };
  const containers = [{ name: "one", image: "none" }];
  return [
    [`${core}/pods`, { apiVersion: "v1", kind: "Pod", metadata, spec: { containers } }],
    [`${core}/secrets`, { apiVersion: "v1", kind: "Secret", metadata, stringData: { a: "b" } }],
    [`${core}/configmaps`, { apiVersion: "v1", kind: "ConfigMap", metadata, data: { a: "b" } }],
    [
      `${snapshots}/namespaces/${namespace}/volumesnapshots`,
      {
        apiVersion: "snapshot.storage.k8s.io/v1",
        kind: "VolumeSnapshot",
        metadata,
        spec: { volumeSnapshotClassName: "array", source: { persistentVolumeClaimName: "data" } },
      },
    ],
    [
      `${snapshots}/volumesnapshotcontents`,
      {
        apiVersion: "snapshot.storage.k8s.io/v1",
        kind: "VolumeSnapshotContent",
        metadata: { name },
        spec: {
          deletionPolicy: "Retain",
          driver: "other.csi.example",
          source: { volumeHandle: name },
          volumeSnapshotRef: { namespace, name },
        },
      },
    ],
  ];
}

/** As many connections as there are clients, each kept alive. */
async function createClient({ server, caFile, kubeconfig }: Cluster): Promise<Create> {
  const agent = new Agent({ keepAlive: true, ca: await readFile(caFile) });
  const headers = {
    authorization: `Bearer ${await tokenIn(kubeconfig)}`,
    "content-type": "application/json",
  };
  return async (path, object) =>
    new Promise((resolve, reject) => {
      const sent = request(`${server}${path}`, { method: "POST", agent, headers }, (response) => {
        let text = "";
        response.setEncoding("utf8").on("data", (chunk: string) => (text += chunk));
        response.on("error", reject).on("end", () => {
          if (response.statusCode === 201) resolve(text);
          else reject(new Error(`POST ${path}: ${response.statusCode ?? 0} ${text}`));
        });
      });
      sent.on("error", reject).end(JSON.stringify(object));
    });
}
