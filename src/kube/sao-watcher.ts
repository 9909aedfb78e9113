import { textAt } from "../admission/json-pointer.ts";
import type { SnapshotAssociatedObject } from "../policy/schema.ts";
import { startCache, unsyncedOf } from "./cache.ts";
import type { Cache, Cached, CacheOptions } from "./cache.ts";
import { AnyObject } from "./objects.ts";
import type { LivingOriginals, StoredSnapshot } from "./originals.ts";
import { trimTo } from "./trim.ts";

/** Watches the snapshot associated objects of other data mover plugins. */
export interface SaoWatcher {
  /** Watches the objects of these entries too; those watched already go on. */
  watch(entries: readonly SnapshotAssociatedObject[]): void;
  /** Names of the entries whose objects were not all seen yet. */
  unsynced(): string[];
}

/** What watching needs. */
export type SaoWatcherOptions = Pick<CacheOptions<Cached>, "rest" | "onError" | "signal">;

/** A watcher that tells of what it sees; it watches nothing yet. */
export function createSaoWatcher(
  options: SaoWatcherOptions,
  living: Pick<LivingOriginals, "update">,
): SaoWatcher {
  const watched = new Map<string, Cache<Cached & { stored: StoredSnapshot }>>();
  return {
    watch(entries) {
      for (const entry of entries) {
        const group = entry.group === "" ? "/api" : `/apis/${entry.group}`;
        const path = `${group}/${entry.version}/${entry.resource}`;
        const labelSelector = Object.entries(entry.matchLabels)
          .map(([key, value]) => `${key}=${value}`)
          .join(",");
        const key = `${entry.name} ${path}?${labelSelector}#${entry.snapshotHandle}`;
        if (!watched.has(key)) {
          const cache = startCache({
            ...options,
            path,
            labelSelector,
            trim: (object) => storedSao(object, entry),
            onChange: (now, before) => living.update(now?.stored, before?.stored),
          });
          watched.set(key, cache);
        }
      }
    },
    unsynced: () => unsyncedOf([...watched]),
  };
}

function storedSao(
  object: unknown,
  entry: SnapshotAssociatedObject,
): (Cached & { stored: StoredSnapshot }) | undefined {
  const trimmed = trimTo(AnyObject)(object);
  if (trimmed === undefined) {
    return undefined;
  }
  const handle = textAt(object, entry.snapshotHandle);
  return { ...trimmed, stored: { metadata: trimmed.metadata, source: entry.name, original: true, handle } };
}
