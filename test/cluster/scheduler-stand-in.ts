import { setTimeout as delay } from "node:timers/promises";
import * as z from "zod";

import type { ApiClient } from "./api-client.ts";
import { Pod } from "./pods.ts";

/** A running stand-in for the scheduler. */
export interface SchedulerStandIn {
  /** Resolves when it does nothing any more. */
  stop(): Promise<void>;
}

/**
 * Does the one thing that storage waits for the scheduler to do: where a Pod uses a claim whose class is
 * WaitForFirstConsumer, it chooses the node, and says so on the claim. Pods stay where they are.
 */
export function startScheduler(options: {
  readonly client: ApiClient;
  readonly node: string;
}): SchedulerStandIn {
  const stopping = new AbortController();
  const { signal } = stopping;
  async function loop(): Promise<void> {
    while (!signal.aborted) {
      // The API server may be down for a while: a test may have it so.
      await look(options).catch(() => undefined);
      await delay(LOOK_EVERY_MS, undefined, { ref: false, signal }).catch(() => undefined);
    }
  }
  const looping = loop();
  return {
    stop: async () => {
      stopping.abort();
      await looping;
    },
  };
}

const LOOK_EVERY_MS = 300;
const SELECTED_NODE = "volume.kubernetes.io/selected-node";

const Claims = z.object({
  items: z.array(
    z.object({
      metadata: z.object({
        name: z.string(),
        namespace: z.string(),
        resourceVersion: z.string(),
        annotations: z.record(z.string(), z.string()).default({}),
      }),
      spec: z.object({ storageClassName: z.string().default(""), volumeName: z.string().default("") }),
    }),
  ),
});

const Classes = z.object({
  items: z.array(
    z.object({ metadata: z.object({ name: z.string() }), volumeBindingMode: z.string().optional() }),
  ),
});

const Pods = z.object({ items: z.array(Pod) });

async function look({ client, node }: { client: ApiClient; node: string }): Promise<void> {
  const waiting = await waitingClaims(client);
  if (waiting.length === 0) return;
  const { items: pods } = Pods.parse(JSON.parse((await client.get("/api/v1/pods")).body));
  const used = new Set(pods.flatMap(claimsOf));
  for (const { metadata } of waiting) {
    const { name, namespace, resourceVersion } = metadata;
    if (!used.has(`${namespace}/${name}`)) continue;
    // With the version: somebody else may have chosen meanwhile.
    await client.patch(`/api/v1/namespaces/${namespace}/persistentvolumeclaims/${name}`, {
      metadata: { resourceVersion, annotations: { [SELECTED_NODE]: node } },
    });
  }
}

async function waitingClaims(client: ApiClient): Promise<z.infer<typeof Claims>["items"]> {
  const { items: classes } = Classes.parse(
    JSON.parse((await client.get("/apis/storage.k8s.io/v1/storageclasses")).body),
  );
  const late = classes
    .filter(({ volumeBindingMode }) => volumeBindingMode === "WaitForFirstConsumer")
    .map(({ metadata }) => metadata.name);
  if (late.length === 0) return [];
  const { items } = Claims.parse(JSON.parse((await client.get("/api/v1/persistentvolumeclaims")).body));
  return items.filter(
    ({ metadata, spec }) =>
      late.includes(spec.storageClassName) &&
      spec.volumeName === "" &&
      metadata.annotations[SELECTED_NODE] === undefined,
  );
}

function claimsOf({ metadata, spec }: Pod): string[] {
  return spec.volumes.flatMap(({ persistentVolumeClaim: claim }) =>
    claim === undefined ? [] : [`${metadata.namespace}/${claim.claimName}`],
  );
}
