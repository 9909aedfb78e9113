import type * as z from "zod";
import { LookupFailed } from "../admission/lookup.ts";
import type { Lookup } from "../admission/lookup.ts";
import type { Signer } from "../admission/signer.ts";
import type { SnapshotAssociatedObject } from "../policy/schema.ts";
import { startCache, unsyncedOf } from "./cache.ts";
import type { Cache, Cached } from "./cache.ts";
import { ALIAS_LABEL, INHERITED_ANNOTATION, VELERO_BACKUP_NAME_LABEL } from "./keys.ts";
import { toLabelValue } from "./label-value.ts";
import type { OriginalsMemory } from "./memory.ts";
import {
  Backup,
  DataUpload,
  PersistentVolume,
  PersistentVolumeClaim,
  valueOf,
  VolumeSnapshot,
  VolumeSnapshotContent,
} from "./objects.ts";
import type { Metadata } from "./objects.ts";
import { createLivingOriginals } from "./originals.ts";
import type { LivingOriginals, StoredSnapshot } from "./originals.ts";
import type { Rest, StreamingRest } from "./rest.ts";
import { createRestoreLookup } from "./restore-lookup.ts";
import { createRetainedSnapshots } from "./retained-snapshots.ts";
import type { RetainedSnapshots } from "./retained-snapshots.ts";
import { createSaoWatcher } from "./sao-watcher.ts";
import { createTakenSnapshots } from "./taken-snapshots.ts";
import type { TakenSnapshots } from "./taken-snapshots.ts";
import { trimTo } from "./trim.ts";

const SNAPSHOTS = "/apis/snapshot.storage.k8s.io/v1";

/**
 * Longest a single look-up may take. A request may need two after one another, within the handler's deadline of
 * three seconds, which is within the five seconds that the API server waits.
 */
const LOOKUP_MS = 1_400;

/** What the look-ups are made of. */
export interface ClusterLookupOptions {
  readonly rest: StreamingRest;
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
  const taken = createTakenSnapshots(options.signer);
  const retained = createRetainedSnapshots(options.signer);
  const caches = startCaches(options, { living, taken, retained });
  const sao = createSaoWatcher(options, living);

  return {
    volumeSnapshot: (namespace, name) => {
      const cached = caches.volumeSnapshots.get(namespace, name);
      return isLabelled(cached)
        ? cached
        : get(rest, { path: `${SNAPSHOTS}/${inNamespace(namespace)}/volumesnapshots`, name }, VolumeSnapshot);
    },
    volumeSnapshotContent: (name) =>
      caches.contents.get("", name) ??
      get(rest, { path: `${SNAPSHOTS}/volumesnapshotcontents`, name }, VolumeSnapshotContent),
    dataUpload: (namespace, name) => {
      const cached = caches.dataUploads.get(namespace, name);
      const path = `/apis/velero.io/v2alpha1/${inNamespace(namespace)}/datauploads`;
      return isLabelled(cached) ? cached : get(rest, { path, name }, DataUpload);
    },
    // A scan, since only clones by other data movers need it, and they are rare.
    dataUploadByAlias: (namespaces, alias) =>
      [...caches.dataUploads.values()].find(({ metadata }) => isIn(namespaces, metadata, alias)),
    backupByLabel: (namespaces, label) =>
      findBackup(caches.backups, namespaces, label) ?? getBackup(rest, namespaces, label),
    ...createVolumeLookup(rest),
    ...createRestoreLookup({ rest, ...caches, retained, lookupMs: LOOKUP_MS }),
    originalByHandle: (source, handle) => living.find(source, handle) ?? memory.find(source, handle),
    snapshotsOf: (volume) => taken.count(volume),
    unsynced: () => [
      ...unsyncedOf(Object.entries<Pick<Cache<Cached>, "synced">>({ ...caches })),
      ...sao.unsynced(),
    ],
    watchSnapshotAssociatedObjects: (entries) => sao.watch(entries),
  };
}

/** PVCs and PVs are not cached: a cluster has many, and few of them are ever asked for. */
function createVolumeLookup(
  rest: Rest,
): Pick<Lookup, "persistentVolumeClaim" | "persistentVolume" | "claimWithVolume"> {
  async function getClaim(
    namespace: string,
    name: string,
    signal?: AbortSignal,
  ): Promise<PersistentVolumeClaim | undefined> {
    const path = `/api/v1/${inNamespace(namespace)}/persistentvolumeclaims`;
    return get(rest, { path, name, ...(signal && { signal }) }, PersistentVolumeClaim);
  }
  async function getVolume(name: string, signal?: AbortSignal): Promise<PersistentVolume | undefined> {
    const path = "/api/v1/persistentvolumes";
    return get(rest, { path, name, ...(signal && { signal }) }, PersistentVolume);
  }
  return {
    persistentVolumeClaim: async (namespace, name) => getClaim(namespace, name),
    persistentVolume: async (name) => getVolume(name),
    claimWithVolume: async (namespace, name) => {
      const signal = AbortSignal.timeout(LOOKUP_MS);
      const claim = await getClaim(namespace, name, signal);
      return { claim, volume: await getVolume(claim?.spec?.volumeName ?? "", signal) };
    },
  };
}

function inNamespace(namespace: string): string {
  return `namespaces/${encodeURIComponent(namespace)}`;
}

function isIn(namespaces: readonly string[], { namespace, labels }: Metadata, alias: string): boolean {
  return namespaces.includes(namespace ?? "") && valueOf(labels, ALIAS_LABEL) === alias;
}

interface Caches {
  readonly volumeSnapshots: Cache<VolumeSnapshot>;
  readonly contents: Cache<VolumeSnapshotContent>;
  readonly dataUploads: Cache<DataUpload>;
  readonly backups: Cache<Backup>;
}

/** What is told of each change, to be asked without a search. */
interface Indices {
  readonly living: LivingOriginals;
  readonly taken: TakenSnapshots;
  readonly retained: RetainedSnapshots;
}

function startCaches(options: ClusterLookupOptions, { living, taken, retained }: Indices): Caches {
  return {
    volumeSnapshots: startCache({
      ...options,
      path: `${SNAPSHOTS}/volumesnapshots`,
      labelSelector: VELERO_BACKUP_NAME_LABEL,
      trim: trimTo(VolumeSnapshot),
      onChange: (now, before) => taken.update(now?.metadata, before?.metadata),
    }),
    contents: startCache({
      ...options,
      path: `${SNAPSHOTS}/volumesnapshotcontents`,
      trim: trimTo(VolumeSnapshotContent),
      onChange: (now, before) => {
        living.update(storedContent(now), storedContent(before));
        taken.update(now?.metadata, before?.metadata);
        retained.update(now?.metadata, before?.metadata);
      },
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
      get(rest, { path: `/apis/velero.io/v1/${inNamespace(namespace)}/backups`, name: label }, Backup),
    ),
  );
  return found.find((backup) => backup !== undefined);
}

interface Wanted {
  /** Of the collection. */
  readonly path: string;
  readonly name: string;
  /** Ends the wait; after the time of one look-up where left out. */
  readonly signal?: AbortSignal;
}

async function get<T>(
  rest: Rest,
  { path, name, signal = AbortSignal.timeout(LOOKUP_MS) }: Wanted,
  view: z.ZodType<T>,
): Promise<T | undefined> {
  if (name === "") {
    return undefined;
  }
  try {
    const found = await rest.get(`${path}/${encodeURIComponent(name)}`, signal);
    return found === undefined ? undefined : view.parse(found);
  } catch (error) {
    throw new LookupFailed(`${path}/${name}: ${error instanceof Error ? error.message : String(error)}`, {
      cause: error,
    });
  }
}
