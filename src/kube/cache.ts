import { setTimeout as sleep } from "node:timers/promises";
import { ListWatch, Watch } from "@kubernetes/client-node";
import type { KubeConfig, KubernetesListObject, KubernetesObject } from "@kubernetes/client-node";
import * as z from "zod";
import { AnyObject } from "./objects.ts";
import type { Metadata } from "./objects.ts";
import type { Rest } from "./rest.ts";

/** The least that a cached object has. */
export interface Cached {
  readonly metadata: Metadata;
}

/** What to cache, and how much of it. */
export interface CacheOptions<T extends Cached> {
  readonly kubeConfig: KubeConfig;
  readonly rest: Rest;
  /** Collection path, such as /apis/velero.io/v1/backups. */
  readonly path: string;
  readonly labelSelector?: string;
  readonly fieldSelector?: string;
  /**
   * The fields that stay in memory; undefined for an object that is not wanted or cannot be read: one that was cached
   * before then leaves the cache as if it were deleted.
   */
  readonly trim: (object: unknown) => T | undefined;
  /** Told of each change, after the cache holds it; `now` is undefined for a deletion. */
  readonly onChange?: (now: T | undefined, before: T | undefined) => void;
  readonly onError: (error: unknown) => void;
  readonly signal: AbortSignal;
}

/** A watched collection. */
export interface Cache<T extends Cached> {
  get(namespace: string, name: string): T | undefined;
  values(): IterableIterator<T>;
  /** Whether it has ever held the whole collection. */
  synced(): boolean;
  /** Whether changes arrive: false from an error of the watch until it stands again. */
  watching(): boolean;
}

/** Objects a page; the API server's own chunk size for kubectl. */
const PAGE = 500;

const Page = z.object({
  metadata: z.object({ resourceVersion: z.string().optional(), continue: z.string().optional() }).nullish(),
  items: z.array(z.unknown()).nullish(),
});

/**
 * Lists and watches a collection until the signal aborts, with client-node's informer underneath: pages are trimmed
 * one by one, so that memory holds no more than the fields we read. Never throws; failures are reported and retried.
 */
export function startCache<T extends Cached>(options: CacheOptions<T>): Cache<T> {
  const objects = new Map<string, T>();
  let listed = false;
  let watching = false;
  function apply(now: T | undefined, key: string): void {
    const before = objects.get(key);
    if (now === undefined) {
      objects.delete(key);
    } else {
      objects.set(key, now);
    }
    options.onChange?.(now, before);
  }
  const informer = new ListWatch<Held<T>>(
    options.path,
    new TrimmingWatch(options.kubeConfig, options.trim, (connected) => {
      watching = connected;
    }),
    async () => {
      const list = await listPages(options);
      listed = true;
      return list;
    },
    false,
    options.labelSelector,
    options.fieldSelector,
  );
  informer.on("add", (held) => apply(held.value, keyOf(held)));
  informer.on("update", (held) => apply(held.value, keyOf(held)));
  informer.on("delete", (held) => apply(undefined, keyOf(held)));
  keepRunning(informer, options);
  return {
    get: (namespace, name) => objects.get(`${namespace}/${name}`),
    values: () => objects.values(),
    synced: () => listed,
    watching: () => watching,
  };
}

/** The names of those that have not held their whole collection yet. */
export function unsyncedOf(caches: readonly [string, Pick<Cache<Cached>, "synced">][]): string[] {
  return caches.filter(([, cache]) => !cache.synced()).map(([name]) => name);
}

/** What client-node's informer keeps: enough metadata for itself, and our trimmed object; none where it goes. */
interface Held<T extends Cached> extends KubernetesObject {
  readonly value: T | undefined;
}

function hold<T extends Cached>({ metadata }: Cached, value: T | undefined): Held<T> {
  const { name = "", namespace = "", resourceVersion = "" } = metadata;
  return { metadata: { name, namespace, resourceVersion }, value };
}

function keyOf({ metadata }: KubernetesObject): string {
  return `${metadata?.namespace ?? ""}/${metadata?.name ?? ""}`;
}

/** client-node's informer stops at the first error: it is started again, ever slower up to ten seconds. */
function keepRunning<T extends Cached>(informer: ListWatch<Held<T>>, options: CacheOptions<T>): void {
  const { onError, signal } = options;
  let delay = 500;
  async function restart(error: unknown): Promise<void> {
    if (signal.aborted) {
      return;
    }
    onError(error);
    await sleep(delay, undefined, { signal, ref: false });
    delay = Math.min(delay * 2, 10_000);
    await informer.start();
  }
  function ignoreAbort(error: unknown): void {
    if (!signal.aborted) {
      onError(error);
    }
  }
  informer.on("add", () => {
    delay = 500;
  });
  informer.on("error", (error: unknown) => {
    // oxlint-disable-next-line promise/no-promise-in-callback -- client-node reports errors by callback only
    restart(error).catch(ignoreAbort);
  });
  signal.addEventListener("abort", () => void informer.stop().catch(ignoreAbort), { once: true });
  informer.start().catch(ignoreAbort);
}

/** Trims each object as it comes off the wire, before client-node keeps it; tells whether a watch stands. */
class TrimmingWatch<T extends Cached> extends Watch {
  readonly #trim: (object: unknown) => T | undefined;
  readonly #onConnection: (connected: boolean) => void;

  constructor(
    kubeConfig: KubeConfig,
    trim: (object: unknown) => T | undefined,
    onConnection: (connected: boolean) => void,
  ) {
    super(kubeConfig);
    this.#trim = trim;
    this.#onConnection = onConnection;
  }

  override async watch(
    ...[path, query, callback, done]: Parameters<Watch["watch"]>
  ): Promise<AbortController> {
    const trim = this.#trim;
    const onConnection = this.#onConnection;
    const standing = { failed: false };
    function pass(phase: string, object: unknown, raw?: unknown): void {
      if (phase === "ERROR" || phase === "BOOKMARK") {
        callback(phase, object, raw);
        return;
      }
      const kept = trim(object);
      if (kept !== undefined) {
        callback(phase, hold(kept, kept), undefined);
        return;
      }
      // No news to the informer where it was never cached; where it was, what is cached is no longer true.
      const { data: known } = AnyObject.safeParse(object);
      if (known !== undefined) callback("DELETED", hold<T>(known, undefined), undefined);
    }
    function end(error: unknown): void {
      // A watch that ends in the ordinary way, or for want of news, is opened again at once.
      if (error instanceof Error && error.name !== "TimeoutError") {
        standing.failed = true;
        onConnection(false);
      }
      done(error);
    }
    try {
      const controller = await super.watch(path, { ...query, allowWatchBookmarks: true }, pass, end);
      if (!standing.failed) onConnection(true);
      return controller;
    } catch (error) {
      // The informer calls this while reconnecting and waits for nothing: a token that cannot be read at that moment
      // would end the process as an unhandled rejection.
      end(error);
      return new AbortController();
    }
  }
}

async function listPages<T extends Cached>(options: CacheOptions<T>): Promise<KubernetesListObject<Held<T>>> {
  const items: Held<T>[] = [];
  let resourceVersion = "";
  let next: string | undefined;
  do {
    const page = Page.parse(
      await options.rest.call("GET", pagePath(options, next), { signal: options.signal }),
    );
    for (const item of page.items ?? []) {
      const kept = options.trim(item);
      if (kept !== undefined) {
        items.push(hold(kept, kept));
      }
    }
    resourceVersion = page.metadata?.resourceVersion ?? resourceVersion;
    next = page.metadata?.continue;
  } while (next !== undefined && next !== "");
  return { items, metadata: { resourceVersion } };
}

function pagePath<T extends Cached>(
  { path, labelSelector, fieldSelector }: CacheOptions<T>,
  next?: string,
): string {
  const query = new URLSearchParams({ limit: String(PAGE) });
  for (const [key, value] of Object.entries({ labelSelector, fieldSelector, continue: next })) {
    if (value !== undefined) {
      query.set(key, value);
    }
  }
  return `${path}?${query.toString()}`;
}
