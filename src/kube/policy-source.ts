import { watch } from "node:fs";
import { readFile } from "node:fs/promises";
import { dirname } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import * as z from "zod";
import { startCache } from "./cache.ts";
import { Metadata } from "./objects.ts";
import type { StreamingRest } from "./rest.ts";

/** The key of the ConfigMap that holds the policy document. */
export const POLICY_KEY = "policy.yaml";

/** v1 ConfigMap: the fields that we read. */
export const ConfigMap = z.object({ metadata: Metadata, data: z.record(z.string(), z.string()).nullish() });
export type ConfigMap = z.infer<typeof ConfigMap>;

/** What watching one ConfigMap needs. */
export interface ConfigMapWatchOptions {
  readonly rest: StreamingRest;
  readonly namespace: string;
  readonly name: string;
  /** Told of each version, and of its absence. */
  readonly onChange: (configMap: ConfigMap | undefined) => void;
  readonly onError: (error: unknown) => void;
  readonly signal: AbortSignal;
}

/** Watches one ConfigMap; the returned function tells whether its state is known. */
export function watchConfigMap(options: ConfigMapWatchOptions): () => boolean {
  const cache = startCache({
    ...options,
    path: `/api/v1/namespaces/${options.namespace}/configmaps`,
    fieldSelector: `metadata.name=${options.name}`,
    trim: (object) => ConfigMap.safeParse(object).data,
    onChange: (now) => options.onChange(now),
  });
  return () => cache.synced();
}

/** Reads a file now and after each change, until the signal aborts; undefined where it cannot be read. */
export async function watchFile(
  file: string,
  onText: (text: string | undefined) => void,
  signal: AbortSignal,
): Promise<void> {
  // The directory, since editors and ConfigMap mounts replace the file; the poll, since not every file system tells.
  const watcher = watch(dirname(file), () => void offer());
  signal.addEventListener("abort", () => watcher.close(), { once: true });
  async function offer(): Promise<void> {
    onText(await readFile(file, "utf8").catch(() => undefined));
  }
  await offer();
  void poll(offer, signal);
}

const POLL_MS = 1_000;

async function poll(offer: () => Promise<void>, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    await sleep(POLL_MS, undefined, { signal, ref: false }).catch(() => undefined);
    await offer();
  }
}
