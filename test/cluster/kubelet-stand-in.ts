import { setTimeout as delay } from "node:timers/promises";
import * as z from "zod";

import type { ApiClient } from "./api-client.ts";
import { moveData, type ChooseBehaviour } from "./data-mover-stand-in.ts";
import { containerStatuses, Pod, podsOf, report, retrying } from "./pods.ts";

/** A running stand-in for kubelet and scheduler. */
export interface KubeletStandIn {
  /** Resolves when it does nothing any more. */
  stop(): Promise<void>;
}

/** What it looks after. */
export interface KubeletOptions {
  readonly client: ApiClient;
  /** Names of the Node objects that it makes; Pods take turns. */
  readonly nodes: readonly string[];
  /** The namespaces whose Pods it runs. */
  readonly namespace: string;
  /** What the data movers among these Pods are to do. */
  readonly choose: ChooseBehaviour;
}

const PodList = z.object({ items: z.array(Pod) });
const Claim = z.object({ status: z.object({ phase: z.string().optional() }).optional() });

/**
 * Does for the Pods of one namespace what scheduler and kubelet would: binds them to its node, waits for their volumes,
 * reports them as running. No container runs; what a data mover's would report comes from data-mover-stand-in.ts.
 */
export async function startKubelet(options: KubeletOptions): Promise<KubeletStandIn> {
  const { client, nodes, namespace } = options;
  await Promise.all(nodes.map(async (node) => register(client, node)));
  const stopping = new AbortController();
  const { signal } = stopping;
  const attended = new Map<string, Promise<void>>();
  let bound = 0;
  function nextNode(): string {
    return nodes[bound++ % nodes.length] ?? "";
  }
  async function look(): Promise<void> {
    const { items } = PodList.parse(JSON.parse((await client.get(podsOf(namespace))).body));
    for (const pod of items) {
      const { uid, deletionTimestamp } = pod.metadata;
      const isOver = deletionTimestamp !== undefined || pod.status.phase !== "Pending";
      if (!isOver && !attended.has(uid))
        attended.set(uid, attend(pod, { ...options, node: nextNode() }, signal));
    }
  }
  async function loop(): Promise<void> {
    let beatAt = 0;
    while (!signal.aborted) {
      // The API server may be down for a while: a test may have it so.
      await look().catch(() => undefined);
      if (performance.now() > beatAt) {
        beatAt = performance.now() + HEARTBEAT_MS;
        await Promise.all(nodes.map(async (node) => heartbeat(client, node))).catch(() => undefined);
      }
      await delay(LOOK_EVERY_MS, undefined, { ref: false, signal }).catch(() => undefined);
    }
  }
  const looping = loop();
  return {
    stop: async () => {
      stopping.abort();
      await looping;
      await Promise.all(attended.values());
    },
  };
}

const LOOK_EVERY_MS = 200;

// Well below the 40 s after which the node controller takes a node for dead and evicts its Pods.
const HEARTBEAT_MS = 10_000;

async function attend(
  pod: Pod,
  options: KubeletOptions & { readonly node: string },
  signal: AbortSignal,
): Promise<void> {
  const { client, node, choose } = options;
  try {
    if (pod.spec.nodeName === undefined) await bind(client, node, pod);
    const upload = pod.metadata.labels["velero.io/data-upload"];
    const download = pod.metadata.labels["velero.io/data-download"];
    await untilVolumesAreBound(client, pod, signal);
    if (upload === undefined && download === undefined) await report(client, pod, running(pod));
    else
      await moveData({ client, pod, choose, signal, start: async () => report(client, pod, running(pod)) });
  } catch (error) {
    if (!signal.aborted) throw error;
  }
}

async function bind(client: ApiClient, node: string, { metadata }: Pod): Promise<void> {
  const { name, namespace } = metadata;
  const binding = { metadata: { name, namespace }, target: { apiVersion: "v1", kind: "Node", name: node } };
  await retrying(async () => client.post(`${podsOf(namespace)}/${name}/binding`, binding));
}

async function untilVolumesAreBound(client: ApiClient, pod: Pod, signal: AbortSignal): Promise<void> {
  const { namespace } = pod.metadata;
  const claims = pod.spec.volumes.flatMap(({ persistentVolumeClaim: claim }) =>
    claim === undefined ? [] : [`/api/v1/namespaces/${namespace}/persistentvolumeclaims/${claim.claimName}`],
  );
  for (const path of claims) {
    while (!(await isBound(client, path))) await delay(LOOK_EVERY_MS, undefined, { ref: false, signal });
  }
}

async function isBound(client: ApiClient, path: string): Promise<boolean> {
  const answer = await client.get(path).catch(() => undefined);
  return answer?.status === 200 && Claim.parse(JSON.parse(answer.body)).status?.phase === "Bound";
}

function running(pod: Pod): object {
  const startedAt = new Date().toISOString();
  return {
    phase: "Running",
    startTime: startedAt,
    hostIP: "127.0.0.1",
    podIP: "127.0.0.1",
    conditions: ["Initialized", "Ready", "ContainersReady", "PodScheduled"].map((type) => ({
      type,
      status: "True",
    })),
    containerStatuses: containerStatuses(pod, { isReady: true, state: { running: { startedAt } } }),
  };
}

async function register(client: ApiClient, node: string): Promise<void> {
  const metadata = { name: node, labels: { "kubernetes.io/os": "linux", "kubernetes.io/hostname": node } };
  await client.post("/api/v1/nodes", { apiVersion: "v1", kind: "Node", metadata });
  await heartbeat(client, node);
}

async function heartbeat(client: ApiClient, node: string): Promise<void> {
  const now = new Date().toISOString();
  const ready = { type: "Ready", status: "True", reason: "KubeletReady", lastHeartbeatTime: now };
  await client.patch(`/api/v1/nodes/${node}/status`, { status: { conditions: [ready] } });
}
