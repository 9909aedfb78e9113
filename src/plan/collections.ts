import type * as z from "zod";
import {
  Backup,
  BackupStorageLocation,
  DataUpload,
  DeleteBackupRequest,
  PersistentVolume,
  PersistentVolumeClaim,
  VolumeSnapshot,
  VolumeSnapshotContent,
} from "../retention/objects.ts";
import type { DocumentReader, World } from "../retention/world.ts";

/** The objects of one kind that a plan is made from. */
export interface Collection<T> {
  readonly kind: string;
  /** API group; "" is the core group. */
  readonly group: string;
  /** Where the API server has all of them. */
  readonly path: string;
  readonly view: z.ZodType<T>;
}

/** Gives all objects of a collection. */
export type Reader = <T>(collection: Collection<T>) => Promise<T[]>;

const SNAPSHOTS = "snapshot.storage.k8s.io";

/** The world of one look: nothing is remembered, nobody asks for room. */
export async function readWorld(read: Reader, documents: DocumentReader): Promise<World> {
  const [contents, snapshots, dataUploads, backups] = await Promise.all([
    read(collection(SNAPSHOTS, "v1", "VolumeSnapshotContent", VolumeSnapshotContent)),
    read(collection(SNAPSHOTS, "v1", "VolumeSnapshot", VolumeSnapshot)),
    read(collection("velero.io", "v2alpha1", "DataUpload", DataUpload)),
    read(collection("velero.io", "v1", "Backup", Backup)),
  ]);
  const [deleteBackupRequests, storageLocations, claims, volumes] = await Promise.all([
    read(collection("velero.io", "v1", "DeleteBackupRequest", DeleteBackupRequest)),
    read(collection("velero.io", "v1", "BackupStorageLocation", BackupStorageLocation)),
    read(collection("", "v1", "PersistentVolumeClaim", PersistentVolumeClaim)),
    read(collection("", "v1", "PersistentVolume", PersistentVolume)),
  ]);
  return {
    contents,
    snapshots,
    dataUploads,
    backups,
    deleteBackupRequests,
    storageLocations,
    claims,
    volumes,
    documents,
    reservations: [],
    deletions: new Map(),
    missingSince: new Map(),
    freedAt: [],
    vanished: [],
  };
}

function collection<T>(group: string, version: string, kind: string, view: z.ZodType<T>): Collection<T> {
  const api = group === "" ? `/api/${version}` : `/apis/${group}/${version}`;
  return { kind, group, view, path: `${api}/${kind.toLowerCase()}s` };
}
