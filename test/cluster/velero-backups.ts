import { setTimeout as delay } from "node:timers/promises";
import * as z from "zod";

import type { ApiClient } from "./api-client.ts";

/** A Backup that has ended. */
export interface EndedBackup {
  readonly name: string;
  readonly phase: string;
  readonly errors: number;
}

/** The Velero whose Backups are waited for. */
export interface Watched {
  readonly client: ApiClient;
  readonly namespace: string;
  readonly failed: AbortSignal;
}

const Backup = z.object({
  status: z.object({ phase: z.string().default(""), errors: z.number().default(0) }).optional(),
});

const UNFINISHED = [
  "",
  "New",
  "Queued",
  "ReadyToStart",
  "InProgress",
  "WaitingForPluginOperations",
  "WaitingForPluginOperationsPartiallyFailed",
  "Finalizing",
  "FinalizingPartiallyFailed",
];

/** Resolves when the Backup has ended, however it did. */
export async function untilEnded(watched: Watched, name: string): Promise<EndedBackup> {
  return untilBackup(watched, name, (answer) => {
    const { phase = "", errors = 0 } = Backup.parse(JSON.parse(answer.body)).status ?? {};
    return UNFINISHED.includes(phase) ? undefined : { name, phase, errors };
  });
}

/** Resolves when there is no such Backup. */
export async function untilGone(watched: Watched, name: string): Promise<void> {
  await untilBackup(watched, name, ({ status }) => (status === 404 ? true : undefined));
}

interface Answer {
  readonly status: number;
  readonly body: string;
}

async function untilBackup<T>(
  { client, namespace, failed }: Watched,
  name: string,
  read: (answer: Answer) => T | undefined,
): Promise<T> {
  const end = performance.now() + PATIENCE_MS;
  let last = "";
  while (performance.now() < end) {
    failed.throwIfAborted();
    const answer = await client.get(`/apis/velero.io/v1/namespaces/${namespace}/backups/${name}`);
    const found = read(answer);
    if (found !== undefined) return found;
    last = answer.body;
    await delay(POLL_MS);
  }
  throw new Error(`Backup ${namespace}/${name} has not come so far within ${PATIENCE_MS / 1000} s: ${last}`);
}

// A backup takes a quarter of a minute on an idle machine; killed programs and a full array cost more.
const PATIENCE_MS = 180_000;
const POLL_MS = 250;
