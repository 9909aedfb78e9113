import type { KubeConfig } from "@kubernetes/client-node";
import type { z } from "zod";
import { textAt } from "../admission/json-pointer.ts";
import { LookupFailed } from "../admission/lookup.ts";
import type { Lookup } from "../admission/lookup.ts";
import type { Signer } from "../admission/signer.ts";
import type { SnapshotAssociatedObject } from "../policy/schema.ts";
import { startCache } from "./cache.ts";
import type { Cache, Cached } from "./cache.ts";
import { INHERITED_ANNOTATION, VELERO_BACKUP_NAME_LABEL } from "./keys.ts";
import { toLabelValue } from "./label-value.ts";
import type { OriginalsMemory } from "./memory.ts";
import {
  AnyObject,
  Backup,
  DataUpload,
  PersistentVolume,
  PersistentVolumeClaim,
  valueOf,
  VolumeSnapshot,
  VolumeSnapshotContent,
} from "./objects.ts";
import { createLivingOriginals } from "./originals.ts";
import type { LivingOriginals, StoredSnapshot } from "./originals.ts";
import type { Rest } from "./rest.ts";
import { trimTo } from "./trim.ts";

const SNAPSHOTS = "/apis/snapshot.storage.k8s.io/v1";

/**
 * Longest a single look-up may take. A request may need two after one another, within the handler's deadline of
 * three seconds, which is within the five seconds that the API server waits.
 */
const LOOKUP_MS = 1_400;

/** What the look-ups are made of. */
export interface ClusterLookupOptions {
  readonly kubeConfig: KubeConfig;
  readonly rest: Rest;
  readonly signer: Signer;
  readonly memory: OriginalsMemory;
  readonly onError: (error: unknown) => void;
  readonly signal: AbortSignal;
}

/** Look-ups in a cluster, with what else the server asks of them. */
export interface ClusterLookup extends Lookup {
  /** Names of the caches that have not seen their whole collection yet. */
  unsynced(): string[];
  /** Watches the objects of these entries too; those watched already go on. */
  watchSnapshotAssociatedObjects(entries: readonly SnapshotAssociatedObject[]): void;
}

/** Starts the caches, and answers from them; what is not cached, or not labelled there yet, costs one GET. */
export function startClusterLookup(options: ClusterLookupOptions): ClusterLookup {
  const { rest, memory } = options;
  const living = createLivingOriginals(options.signer, (found) => memory.remember(found));
  const caches = startCaches(options, living);
  const sao = createSaoWatcher(options, living);

  return {
    volumeSnapshot: async (namespace, name) => {
      const cached = caches.volumeSnapshots.get(namespace, name);
      return isLabelled(cached)
        ? cached
        : get(
            rest,
            `${SNAPSHOTS}/namespaces/${encodeURIComponent(namespace)}/volumesnapshots`,
            name,
            VolumeSnapshot,
          );
    },
    volumeSnapshotContent: async (name) =>
      caches.contents.get("", name) ??
      get(rest, `${SNAPSHOTS}/volumesnapshotcontents`, name, VolumeSnapshotContent),
    dataUpload: async (namespace, name) => {
      const cached = caches.dataUploads.get(namespace, name);
      const path = `/apis/velero.io/v2alpha1/namespaces/${encodeURIComponent(namespace)}/datauploads`;
      return isLabelled(cached) ? cached : get(rest, path, name, DataUpload);
    },
    backupByLabel: async (namespaces, label) =>
      findBackup(caches.backups, namespaces, label) ?? getBackup(rest, namespaces, label),
    persistentVolumeClaim: async (namespace, name) =>
      get(
        rest,
        `/api/v1/namespaces/${encodeURIComponent(namespace)}/persistentvolumeclaims`,
        name,
        PersistentVolumeClaim,
      ),
    persistentVolume: async (name) => get(rest, "/api/v1/persistentvolumes", name, PersistentVolume),
    originalByHandle: (source, handle) => living.find(source, handle) ?? memory.find(source, handle),
    unsynced: () => [
      ...unsyncedOf(Object.entries<Pick<Cache<Cached>, "synced">>({ ...caches })),
      ...sao.unsynced(),
    ],
    watchSnapshotAssociatedObjects: (entries) => sao.watch(entries),
  };
}

interface Caches {
  readonly volumeSnapshots: Cache<VolumeSnapshot>;
  readonly contents: Cache<VolumeSnapshotContent>;
  readonly dataUploads: Cache<DataUpload>;
  readonly backups: Cache<Backup>;
}

function startCaches(options: ClusterLookupOptions, living: LivingOriginals): Caches {
  return {
    volumeSnapshots: startCache({
      ...options,
      path: `${SNAPSHOTS}/volumesnapshots`,
      labelSelector: VELERO_BACKUP_NAME_LABEL,
      trim: trimTo(VolumeSnapshot),
    }),
    contents: startCache({
      ...options,
      path: `${SNAPSHOTS}/volumesnapshotcontents`,
      trim: trimTo(VolumeSnapshotContent),
      onChange: (now, before) => living.update(storedContent(now), storedContent(before)),
    }),
    dataUploads: startCache({
      ...options,
      path: "/apis/velero.io/v2alpha1/datauploads",
      trim: trimTo(DataUpload),
    }),
    backups: startCache({ ...options, path: "/apis/velero.io/v1/backups", trim: trimTo(Backup) }),
  };
}

function storedContent(content: VolumeSnapshotContent | undefined): StoredSnapshot | undefined {
  return (
    content && {
      metadata: content.metadata,
      source: content.spec.driver,
      original: content.spec.source.snapshotHandle === undefined,
      handle: content.spec.source.snapshotHandle ?? content.status?.snapshotHandle,
    }
  );
}

interface SaoWatcher {
  watch(entries: readonly SnapshotAssociatedObject[]): void;
  unsynced(): string[];
}

function createSaoWatcher(options: ClusterLookupOptions, living: LivingOriginals): SaoWatcher {
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

function unsyncedOf(caches: readonly [string, Pick<Cache<Cached>, "synced">][]): string[] {
  return caches.filter(([, cache]) => !cache.synced()).map(([name]) => name);
}

function isLabelled<T extends Cached>(object: T | undefined): object is T {
  return valueOf(object?.metadata.annotations, INHERITED_ANNOTATION) !== undefined;
}

function findBackup(cache: Cache<Backup>, namespaces: readonly string[], label: string): Backup | undefined {
  for (const namespace of namespaces) {
    const found = cache.get(namespace, label);
    if (found !== undefined) {
      return found;
    }
  }
  // A name longer than a label value stands in the label shortened and hashed.
  return label.length < 63
    ? undefined
    : [...cache.values()].find((backup) => isNamed(backup, namespaces, label));
}

function isNamed({ metadata }: Backup, namespaces: readonly string[], label: string): boolean {
  return namespaces.includes(metadata.namespace ?? "") && toLabelValue(metadata.name ?? "") === label;
}

async function getBackup(
  rest: Rest,
  namespaces: readonly string[],
  label: string,
): Promise<Backup | undefined> {
  const found = await Promise.all(
    namespaces.map(async (namespace) =>
      get(rest, `/apis/velero.io/v1/namespaces/${encodeURIComponent(namespace)}/backups`, label, Backup),
    ),
  );
  return found.find((backup) => backup !== undefined);
}

async function get<T>(rest: Rest, path: string, name: string, view: z.ZodType<T>): Promise<T | undefined> {
  if (name === "") {
    return undefined;
  }
  try {
    const found = await rest.get(`${path}/${encodeURIComponent(name)}`, AbortSignal.timeout(LOOKUP_MS));
    return found === undefined ? undefined : view.parse(found);
  } catch (error) {
    throw new LookupFailed(`${path}/${name}: ${error instanceof Error ? error.message : String(error)}`, {
      cause: error,
    });
  }
}
