import { setTimeout as delay } from "node:timers/promises";
import * as z from "zod";

import type { ApiAnswer, ApiClient } from "./api-client.ts";

/** A Pod as far as the stand-ins look at it. */
export type Pod = z.infer<typeof Pod>;

/** Reads a Pod. */
export const Pod = z.object({
  metadata: z.object({
    name: z.string(),
    namespace: z.string(),
    uid: z.string(),
    labels: z.record(z.string(), z.string()).default({}),
    deletionTimestamp: z.string().optional(),
  }),
  spec: z.object({
    nodeName: z.string().optional(),
    containers: z.array(z.object({ name: z.string(), image: z.string() })),
    volumes: z
      .array(z.object({ persistentVolumeClaim: z.object({ claimName: z.string() }).optional() }))
      .default([]),
  }),
  status: z.object({ phase: z.string() }),
});

/** The path of a namespace's Pods. */
export function podsOf(namespace: string): string {
  return `/api/v1/namespaces/${namespace}/pods`;
}

/** The status of each container, all of them in the same state. */
export function containerStatuses(
  { spec: { containers } }: Pod,
  { isReady, state }: { readonly isReady: boolean; readonly state: object },
): object[] {
  const common = { imageID: "", restartCount: 0, ready: isReady, started: isReady, state };
  return containers.map(({ name, image }) => ({ name, image, ...common }));
}

/** Merges into a Pod's status; where the Pod is gone, nothing happens. */
export async function report(client: ApiClient, pod: Pod, status: object): Promise<void> {
  const { name, namespace, uid } = pod.metadata;
  const change = { metadata: { uid }, status };
  await retrying(async () => client.patch(`${podsOf(namespace)}/${name}/status`, change));
}

/**
 * Asks until the API server answers at all, and returns what it answered; a conflict is asked again, too. It may be down
 * for a while, since tests stop what they like. Throws what the last attempt threw after half a minute.
 */
export async function retrying(ask: () => Promise<ApiAnswer>): Promise<ApiAnswer> {
  const end = performance.now() + PATIENCE_MS;
  for (;;) {
    try {
      const answer = await ask();
      if (answer.status !== 409 || performance.now() > end) return answer;
    } catch (error) {
      if (performance.now() > end) throw error;
    }
    await delay(PAUSE_MS);
  }
}

const PATIENCE_MS = 30_000;
const PAUSE_MS = 200;
