import { setTimeout as delay } from "node:timers/promises";

import type { ApiAnswer, ApiClient } from "./api-client.ts";

/** The Velero whose Backups and Restores are waited for. */
export interface Watched {
  readonly client: ApiClient;
  readonly namespace: string;
  readonly failed: AbortSignal;
}

/** Asks for an object of Velero's, by resource and name, until `read` makes something of the answer. */
export async function untilVeleroObject<T>(
  { client, namespace, failed }: Watched,
  [resource, name]: readonly [resource: "backups" | "restores", name: string],
  read: (answer: ApiAnswer) => T | undefined,
): Promise<T> {
  const end = performance.now() + PATIENCE_MS;
  const path = `/apis/velero.io/v1/namespaces/${namespace}/${resource}/${name}`;
  let last = "";
  while (performance.now() < end) {
    failed.throwIfAborted();
    const answer = await client.get(path);
    const found = read(answer);
    if (found !== undefined) return found;
    last = answer.body;
    await delay(POLL_MS);
  }
  throw new Error(`${path} has not come so far within ${PATIENCE_MS / 1000} s: ${last}`);
}

// A backup takes a quarter of a minute on an idle machine; killed programs and a full array cost more.
const PATIENCE_MS = 180_000;
const POLL_MS = 250;
