import { setTimeout as sleep } from "node:timers/promises";
import * as z from "zod";
import { createHeldObjects } from "./held-objects.ts";
import type { HeldObjects } from "./held-objects.ts";
import { collectionPath, listPages } from "./list-pages.ts";
import type { Listing } from "./list-pages.ts";
import type { Metadata } from "./objects.ts";
import { ApiError, Silent } from "./rest.ts";
import type { StreamingRest } from "./rest.ts";

/** The least that a cached object has. */
export interface Cached {
  readonly metadata: Metadata;
}

/** What to cache, and how much of it. */
export interface CacheOptions<T extends Cached> extends Listing {
  readonly rest: Pick<StreamingRest, "call" | "stream">;
  /**
   * The fields that stay in memory; undefined for an object that is not wanted or cannot be read: one that was cached
   * before then leaves the cache as if it were deleted.
   */
  readonly trim: (object: unknown) => T | undefined;
  /** Told of each change, after the cache holds it; `now` is undefined for a deletion. */
  readonly onChange?: (now: T | undefined, before: T | undefined) => void;
  readonly onError: (error: unknown) => void;
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

/**
 * Watches a collection until the signal aborts, from all that is there on. Each object is trimmed as it comes, so that memory holds
 * no more than the fields we read, once. Never throws; failures are reported and retried.
 */
export function startCache<T extends Cached>(options: CacheOptions<T>): Cache<T> {
  const state: State<T> = {
    objects: createHeldObjects(),
    version: undefined,
    listed: false,
    watching: false,
    streams: true,
    delay: FIRST_DELAY_MS,
  };
  void follow(options, state);
  return {
    get: (namespace, name) => state.objects.get(namespace, name),
    values: () => state.objects.values(),
    synced: () => state.listed,
    watching: () => state.watching,
  };
}

/** The names of those that have not held their whole collection yet. */
export function unsyncedOf(caches: readonly [string, Pick<Cache<Cached>, "synced">][]): string[] {
  return caches.filter(([, cache]) => !cache.synced()).map(([name]) => name);
}

interface State<T extends Cached> {
  readonly objects: HeldObjects<T>;
  /** Up to where the collection is known; undefined where all of it has to be read. */
  version: string | undefined;
  listed: boolean;
  watching: boolean;
  /** Whether the API server sends all that is there as the beginning of a watch. */
  streams: boolean;
  /** Until the next attempt, if this one fails. */
  delay: number;
}

const FIRST_DELAY_MS = 500;
const LONGEST_DELAY_MS = 10_000;
/** Between two watches that ended in the ordinary way, so that a server which ends each at once is not overrun. */
const PAUSE_MS = 1_000;

/** How long the API server is to keep a watch; opening nine of them anew is nothing beside that. */
const WATCH_SECONDS = 300;
/** The API server sends a bookmark about once a minute where nothing changes. */
const SILENCE_MS = 90_000;

const WATCH = { watch: "true", allowWatchBookmarks: "true", timeoutSeconds: String(WATCH_SECONDS) };

async function follow<T extends Cached>(options: CacheOptions<T>, state: State<T>): Promise<void> {
  const { signal } = options;
  while (!signal.aborted) {
    let pause = PAUSE_MS;
    try {
      if (state.version === undefined && state.streams) {
        await streamAll(options, state);
      } else {
        state.version ??= await list(options, state);
        await watch(options, state, state.version);
      }
    } catch (error) {
      if (isOver(signal)) return;
      pause = react(error, options, state);
    }
    await sleep(pause, undefined, { signal, ref: false }).catch(() => undefined);
  }
}

/** What an error changes; gives the pause until the next attempt, in milliseconds. */
function react<T extends Cached>(error: unknown, { onError }: CacheOptions<T>, state: State<T>): number {
  if (isUnknown(error) && state.version === undefined && state.streams) {
    state.streams = false;
    return 0;
  }
  const isQuiet = error instanceof Silent && state.version !== undefined;
  if (isExpired(error)) {
    state.version = undefined;
  } else if (!isQuiet) {
    onError(error);
  }
  if (!isQuiet) state.watching = false;
  const pause = state.delay;
  state.delay = Math.min(state.delay * 2, LONGEST_DELAY_MS);
  return pause;
}

/**
 * Watches from the beginning: everything that is there comes first, then a bookmark. The API server sends it out of its memory,
 * where pages after the first are read from etcd again: a third of the time for 100,000 objects. Every API server has it from
 * Kubernetes 1.34 on, and 1.32; of others the pages are read.
 */
async function streamAll<T extends Cached>(options: CacheOptions<T>, state: State<T>): Promise<void> {
  // Of a first reading nothing was there before that could be gone now.
  const present = isEmpty(state.objects) ? undefined : new Set<T>();
  let isThere = false;
  function onLine(line: string): void {
    const event = WatchEvent.parse(JSON.parse(line));
    const version = see(options, state, event, (object) => {
      if (!isThere) present?.add(object);
    });
    if (!isThere && isEndOfBeginning(event)) {
      isThere = true;
      if (present !== undefined) removeOthers(options, state, present);
      present?.clear();
      state.listed = true;
      state.watching = true;
      state.delay = FIRST_DELAY_MS;
    }
    // What comes before is in no order: there is no going on from the middle of it.
    if (isThere) state.version = version ?? state.version;
  }
  const query = { ...WATCH, sendInitialEvents: "true", resourceVersionMatch: "NotOlderThan" };
  await options.rest.stream(collectionPath(options, query), {
    onOpen: () => undefined,
    onLine,
    silenceMs: options.patienceMs ?? SILENCE_MS,
    signal: options.signal,
  });
}

function isEmpty<T>(objects: HeldObjects<T>): boolean {
  return objects.values().next().done === true;
}

const Bookmark = z.object({ metadata: z.object({ annotations: z.record(z.string(), z.string()) }) });

function isEndOfBeginning({ type, object }: z.infer<typeof WatchEvent>): boolean {
  return (
    type === "BOOKMARK" &&
    Bookmark.safeParse(object).data?.metadata.annotations["k8s.io/initial-events-end"] === "true"
  );
}

/** Brings all objects to what the API server has now; resolves with its version. */
async function list<T extends Cached>(options: CacheOptions<T>, state: State<T>): Promise<string> {
  const present = new Set<T>();
  const version = await listPages(options, (item) => {
    const kept = options.trim(item);
    if (kept !== undefined) present.add(put(options, state, kept));
  });
  removeOthers(options, state, present);
  state.listed = true;
  return version;
}

function removeOthers<T extends Cached>(
  options: CacheOptions<T>,
  state: State<T>,
  present: ReadonlySet<T>,
): void {
  for (const object of state.objects.values()) {
    if (!present.has(object)) remove(options, state, object.metadata);
  }
}

async function watch<T extends Cached>(
  options: CacheOptions<T>,
  state: State<T>,
  resourceVersion: string,
): Promise<void> {
  await options.rest.stream(collectionPath(options, { ...WATCH, resourceVersion }), {
    onOpen() {
      state.watching = true;
      state.delay = FIRST_DELAY_MS;
    },
    onLine(line) {
      state.version = see(options, state, WatchEvent.parse(JSON.parse(line))) ?? state.version;
    },
    silenceMs: SILENCE_MS,
    signal: options.signal,
  });
}

const WatchEvent = z.object({ type: z.string(), object: z.unknown() });

const Named = z.object({
  metadata: z.object({
    namespace: z.string().optional(),
    name: z.string().optional(),
    resourceVersion: z.string().optional(),
  }),
});

/** What an event of type ERROR tells: a v1 Status. */
const Status = z.object({ code: z.number().default(0), message: z.string().default("") });

/** Takes one event in; `onHeld` is told of an object that is held from now on. Returns up to which version that was. */
function see<T extends Cached>(
  options: CacheOptions<T>,
  state: State<T>,
  { type, object }: z.infer<typeof WatchEvent>,
  onHeld?: (object: T) => void,
): string | undefined {
  if (type === "ERROR") {
    const { code, message } = Status.parse(object);
    throw new ApiError(code, `watch of ${options.path}: ${code}: ${message}`);
  }
  const metadata = Named.safeParse(object).data?.metadata;
  if (metadata === undefined || type === "BOOKMARK") return metadata?.resourceVersion;
  const kept = type === "DELETED" ? undefined : options.trim(object);
  if (kept === undefined) {
    remove(options, state, metadata);
  } else {
    const held = put(options, state, kept);
    onHeld?.(held);
  }
  return metadata.resourceVersion;
}

/** Returns what is held from now on: the same object as before where it is the same version. */
function put<T extends Cached>({ onChange }: CacheOptions<T>, { objects }: State<T>, object: T): T {
  const { namespace = "", name = "", resourceVersion } = object.metadata;
  const before = objects.get(namespace, name);
  if (before !== undefined && before.metadata.resourceVersion === resourceVersion) return before;
  objects.put(object.metadata, object);
  onChange?.(object, before);
  return object;
}

function remove<T extends Cached>(
  { onChange }: CacheOptions<T>,
  { objects }: State<T>,
  metadata: Pick<Metadata, "namespace" | "name">,
): void {
  const before = objects.put(metadata, undefined);
  if (before !== undefined) onChange?.(undefined, before);
}

function isOver(signal: AbortSignal): boolean {
  return signal.aborted;
}

/** The API server does not know, or does not allow, what was asked for. */
function isUnknown(error: unknown): boolean {
  return error instanceof ApiError && (error.status === 400 || error.status === 422);
}

/** The API server has forgotten what changed since: the collection has to be read again. */
function isExpired(error: unknown): boolean {
  return error instanceof ApiError && error.status === 410;
}
