import type { Inherited } from "../admission/inherited.ts";
import type { DataDownload, Metadata } from "../kube/objects.ts";
import type {
  Backup,
  BackupStorageLocation,
  DataUpload,
  DeleteBackupRequest,
  PersistentVolume,
  PersistentVolumeClaim,
  VolumeSnapshot,
  VolumeSnapshotContent,
} from "./objects.ts";

/** Everything that a plan is made from: the cluster at one moment, and what its observer remembers. Times are milliseconds since 1970. */
export interface World {
  /** All of the cluster: any of them may share a handle with ours. */
  readonly contents: readonly VolumeSnapshotContent[];
  /** All of the cluster: one that is left out could be a claim's source. */
  readonly snapshots: readonly VolumeSnapshot[];
  readonly dataUploads: readonly DataUpload[];
  readonly backups: readonly Backup[];
  readonly deleteBackupRequests: readonly DeleteBackupRequest[];
  readonly storageLocations: readonly BackupStorageLocation[];
  /** All that are ours to carry out; others may be left out. */
  readonly dataDownloads: readonly DataDownload[];
  /** All that have snapshots, and all that are not bound yet; others may be left out. */
  readonly claims: readonly PersistentVolumeClaim[];
  /** Of those claims; others may be left out. */
  readonly volumes: readonly PersistentVolume[];
  /** Our document on an object, if it is believed. Asked of each object at each decision: see `rememberDocuments`. */
  readonly documents: DocumentReader;
  /** Requests for room that have not lapsed, as the webhook wrote them. */
  readonly reservations: readonly Reservation[];
  /** When each Backup (`namespace/name`) was last seen being deleted: see `nextMemory`. */
  readonly deletions: ReadonlyMap<string, number>;
  /** Since when each Backup (`namespace/name`) that a snapshot names was found absent: see `nextMemory`. */
  readonly missingSince: ReadonlyMap<string, number>;
  /** When freeing was started, at least of the last minute. */
  readonly freedAt: readonly number[];
  /** Retained contents that were seen to disappear with `deletionPolicy: Retain` and are not back: still on the storage. */
  readonly vanished: readonly VolumeSnapshotContent[];
}

/** Reads our signed document from an object's metadata. */
export type DocumentReader = (metadata: Metadata) => Inherited | undefined;

/** A request for room: a snapshot of this volume is about to be taken. */
export interface Reservation {
  readonly volume: { readonly namespace: string; readonly name: string };
  /** As in the label velero.io/snapshot-volume-name. */
  readonly volumeName: string;
  /** The Backup that takes it: its schedule may choose the number. */
  readonly backup?: { readonly namespace: string; readonly name: string } | undefined;
  /** The random id of this request (`spec.holderIdentity` of its Lease). */
  readonly holder: string;
  /** When this controller first saw that id: long after it was asked, where another controller led then. */
  readonly seenAtMs: number;
  /** When the webhook asked, by its own clock. */
  readonly askedAtMs: number;
}

/** How long a reservation holds from when it was first seen: a VolumeSnapshot follows within seconds, or never. */
export const RESERVATION_MS = 60_000;

/** The text by which a Backup is remembered. */
export function backupKey(backup: { readonly namespace: string; readonly name: string }): string {
  return `${backup.namespace}/${backup.name}`;
}
