import type * as z from "zod";
import type { Signer } from "../admission/signer.ts";
import { startCache } from "../kube/cache.ts";
import type { Cache, Cached } from "../kube/cache.ts";
import { createInterner } from "../kube/intern.ts";
import {
  ROOM_ANSWER_ANNOTATION,
  ROOM_BACKUP_ANNOTATION,
  ROOM_LABEL,
  ROOM_VOLUME_ANNOTATION,
  ROOM_VOLUME_NAME_ANNOTATION,
} from "../kube/keys.ts";
import { Lease } from "../kube/lease.ts";
import { DataDownload } from "../kube/objects.ts";
import type { StreamingRest } from "../kube/rest.ts";
import { trimTo } from "../kube/trim.ts";
import {
  Backup,
  BackupStorageLocation,
  DataUpload,
  DeleteBackupRequest,
  PersistentVolume,
  PersistentVolumeClaim,
  READ_ANNOTATIONS,
  VolumeSnapshot,
  VolumeSnapshotContent,
} from "../retention/objects.ts";
import { createDocumentKeeper } from "./believed.ts";
import type { ContentsByHandle } from "./find.ts";
import type { RestoreObjects } from "./restore-objects.ts";
import type { RestoreReport } from "./restore-report.ts";
import type { Sightings } from "./sightings.ts";

/** The part of the cluster that is decided about, kept up to date by watches. */
export interface Caches {
  readonly contents: Cache<VolumeSnapshotContent>;
  readonly snapshots: Cache<VolumeSnapshot>;
  readonly dataUploads: Cache<DataUpload>;
  readonly backups: Cache<Backup>;
  readonly deleteBackupRequests: Cache<DeleteBackupRequest>;
  readonly storageLocations: Cache<BackupStorageLocation>;
  readonly claims: Cache<PersistentVolumeClaim>;
  readonly volumes: Cache<PersistentVolume>;
  readonly rooms: Cache<Lease>;
  readonly dataDownloads: Cache<DataDownload>;
}

/** What the caches need, and whom they tell. */
export interface CachesOptions {
  readonly rest: StreamingRest;
  readonly signer: Signer;
  /** Our own namespace, where requests for room are. */
  readonly namespace: string;
  readonly sightings: Sightings;
  readonly handles: Pick<ContentsByHandle, "update">;
  readonly restoreObjects: RestoreObjects;
  readonly onDownload: RestoreReport["changed"];
  /** Milliseconds since 1970. */
  readonly now: () => number;
  /** Called after each change; urgent where somebody waits for the answer. */
  readonly onChange: (urgent: boolean) => void;
  readonly onError: (error: unknown) => void;
  readonly signal: AbortSignal;
}

const SNAPSHOTS = "/apis/snapshot.storage.k8s.io/v1";
const VELERO = "/apis/velero.io/v1";
const ROOM_ANNOTATIONS = [
  ROOM_ANSWER_ANNOTATION,
  ROOM_BACKUP_ANNOTATION,
  ROOM_VOLUME_ANNOTATION,
  ROOM_VOLUME_NAME_ANNOTATION,
];

/** Starts all watches; each object is trimmed to what is read of it. */
export function startCaches(given: CachesOptions): Caches {
  const intern = createInterner();
  const options = { ...given, intern, keepDocument: createDocumentKeeper(given.signer, intern) };
  const { sightings, now, onChange } = options;
  return {
    ...watchSnapshots(options),
    ...watchVelero(options),
    ...watchVolumes(options),
    rooms: startCache({
      ...options,
      path: `/apis/coordination.k8s.io/v1/namespaces/${options.namespace}/leases`,
      labelSelector: `${ROOM_LABEL}=true`,
      trim: trimTo(Lease, ROOM_ANNOTATIONS),
      onChange: (lease, before) => onChange(sightings.roomChanged(lease, before, now())),
    }),
  };
}

interface WatchOptions extends CachesOptions {
  readonly intern: (object: object) => void;
  readonly keepDocument: ReturnType<typeof createDocumentKeeper>;
}

function watchSnapshots(options: WatchOptions): Pick<Caches, "contents" | "snapshots"> {
  const { sightings, handles, restoreObjects } = options;
  return {
    contents: watchAll(
      options,
      `${SNAPSHOTS}/volumesnapshotcontents`,
      VolumeSnapshotContent,
      (content, before) => {
        handles.update(content, before);
        sightings.contentChanged(content, before);
        restoreObjects.update("content", content?.metadata, before?.metadata);
        // A snapshot that went may be what a request for room waits for.
        return content === undefined;
      },
    ),
    snapshots: watchAll(options, `${SNAPSHOTS}/volumesnapshots`, VolumeSnapshot, (snapshot, before) => {
      restoreObjects.update("snapshot", snapshot?.metadata, before?.metadata);
      return false;
    }),
  };
}

type OfVelero = "dataUploads" | "backups" | "deleteBackupRequests" | "storageLocations" | "dataDownloads";

function watchVelero(options: WatchOptions): Pick<Caches, OfVelero> {
  const { sightings, now, onDownload } = options;
  return {
    dataUploads: watchAll(options, "/apis/velero.io/v2alpha1/datauploads", DataUpload),
    backups: watchAll(options, `${VELERO}/backups`, Backup, (backup) => {
      sightings.backupChanged(backup, now());
      return false;
    }),
    deleteBackupRequests: watchAll(
      options,
      `${VELERO}/deletebackuprequests`,
      DeleteBackupRequest,
      (request) => {
        sightings.deleteBackupRequestChanged(request, now());
        return false;
      },
    ),
    storageLocations: watchAll(options, `${VELERO}/backupstoragelocations`, BackupStorageLocation),
    dataDownloads: watchAll(
      options,
      "/apis/velero.io/v2alpha1/datadownloads",
      DataDownload,
      (download, before) => {
        onDownload(download, before);
        return false;
      },
    ),
  };
}

function watchVolumes(options: WatchOptions): Pick<Caches, "claims" | "volumes"> {
  const { restoreObjects } = options;
  return {
    claims: watchAll(options, "/api/v1/persistentvolumeclaims", PersistentVolumeClaim, (claim, before) => {
      restoreObjects.update("claim", claim?.metadata, before?.metadata);
      return false;
    }),
    volumes: watchAll(options, "/api/v1/persistentvolumes", PersistentVolume, (volume, before) => {
      restoreObjects.update("volume", volume?.metadata, before?.metadata);
      return false;
    }),
  };
}

/** `see` tells whether somebody waits for what follows from a change. */
function watchAll<T extends Cached>(
  options: WatchOptions,
  path: string,
  view: z.ZodType<T>,
  see: (now: T | undefined, before: T | undefined) => boolean = () => false,
): Cache<T> {
  const trim = trimTo(view, READ_ANNOTATIONS);
  return startCache({
    ...options,
    path,
    trim(object) {
      const trimmed = trim(object);
      if (trimmed === undefined) return undefined;
      const kept = options.keepDocument(trimmed);
      options.intern(kept);
      return kept;
    },
    onChange: (now, before) => options.onChange(see(now, before)),
  });
}

/** What keeps the caches from telling how the cluster is: empty when they do. */
export function cacheProblems(caches: Caches): string[] {
  return Object.entries<Cache<Cached>>({ ...caches }).flatMap(([name, cache]) => {
    if (!cache.synced()) return [`cache: ${name} not synced yet`];
    return cache.watching() ? [] : [`cache: ${name} gets no changes`];
  });
}

/** The caches that have not seen their whole collection yet. */
export function unsyncedCaches(caches: Caches): string[] {
  return Object.entries<Cache<Cached>>({ ...caches })
    .filter(([, cache]) => !cache.synced())
    .map(([name]) => `cache: ${name} not synced yet`);
}
