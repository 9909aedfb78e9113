import { setTimeout as sleep } from "node:timers/promises";
import * as z from "zod";
import type { RetentionPolicy } from "../policy/schema.ts";
import { handBackOf, mayBeHandedBack } from "../restore/hand-back.ts";
import { downSince, handBackReason } from "../restore/outage.ts";
import { DataDownload } from "./objects.ts";
import { isOvertaken } from "./rest.ts";
import type { Rest } from "./rest.ts";

/** What handing back works with. */
export interface HandBackOptions {
  readonly rest: Rest;
  readonly policy: () => RetentionPolicy | undefined;
  readonly controllerAlive: () => boolean;
  /** Asks the API server once more, since a watch that is stuck looks like a controller that is down. */
  readonly controllerAliveStill: () => Promise<boolean>;
  /** Milliseconds from an arbitrary start, for durations. */
  readonly monotonic: () => number;
  /** Told of each DataDownload that was handed back, once it was. */
  readonly onHandedBack: (download: DataDownload, reason: string) => void;
  readonly onError: (error: unknown) => void;
  readonly signal: AbortSignal;
}

/** Between two looks: little beside any handBackAfter that leaves a controller the time to start again. */
const EVERY_MS = 3_000;
/** Objects a page; the API server's own chunk size for kubectl. */
const PAGE = 500;

const Page = z.object({
  metadata: z.object({ continue: z.string().optional() }).nullish(),
  items: z.array(z.unknown()).nullish(),
});

/**
 * Gives restores that wait for a controller back to Velero when it is down for too long; as often as there are replicas, since
 * a second hand-back finds nothing to do. Costs no call while the controller lives. Never throws; what fails is tried
 * again at the next look.
 */
export async function runHandBack(options: HandBackOptions): Promise<void> {
  const { controllerAlive, monotonic, policy, signal, onError } = options;
  let since: number | undefined;
  while (!signal.aborted) {
    since = downSince(since, controllerAlive(), monotonic());
    const current = policy();
    const reason = current && handBackReason(since, monotonic(), current);
    if (reason !== undefined) {
      await handBackAll(current?.velero.namespaces ?? [], reason, options).catch(onError);
    }
    await sleep(EVERY_MS, undefined, { signal, ref: false }).catch(() => undefined);
  }
}

async function handBackAll(
  namespaces: readonly string[],
  reason: string,
  options: HandBackOptions,
): Promise<void> {
  if (await options.controllerAliveStill()) {
    return;
  }
  for (const namespace of namespaces) {
    for await (const download of downloadsIn(namespace, options)) {
      if (mayBeHandedBack(download)) {
        await handBack(download, reason, options);
      }
    }
  }
}

async function* downloadsIn(
  namespace: string,
  { rest, signal }: HandBackOptions,
): AsyncGenerator<DataDownload> {
  let next: string | undefined = "";
  do {
    const query = new URLSearchParams({ limit: String(PAGE), ...(next !== "" && { continue: next }) });
    const path = `${collectionOf(namespace)}?${query.toString()}`;
    const page: z.infer<typeof Page> = Page.parse(await rest.call("GET", path, { signal }));
    for (const item of page.items ?? []) {
      const { data } = DataDownload.safeParse(item);
      if (data !== undefined) yield data;
    }
    next = page.metadata?.continue;
  } while (next !== undefined && next !== "");
}

/** Only as it was seen: another replica may have been first, or the controller be back. */
async function handBack(download: DataDownload, reason: string, options: HandBackOptions): Promise<void> {
  const { namespace = "", name = "", resourceVersion } = download.metadata;
  const change = handBackOf(reason);
  const body = { ...change, metadata: { ...change.metadata, resourceVersion } };
  const path = `${collectionOf(namespace)}/${encodeURIComponent(name)}`;
  const contentType = "application/merge-patch+json";
  try {
    await options.rest.call("PATCH", path, { body, contentType, signal: options.signal });
    options.onHandedBack(download, reason);
  } catch (error) {
    if (!isOvertaken(error)) {
      options.onError(error);
    }
  }
}

function collectionOf(namespace: string): string {
  return `/apis/velero.io/v2alpha1/namespaces/${encodeURIComponent(namespace)}/datadownloads`;
}
