import type {
  Backup,
  DataUpload,
  PersistentVolume,
  PersistentVolumeClaim,
  StringMap,
  VolumeSnapshot,
  VolumeSnapshotContent,
} from "../kube/objects.ts";
import type { Inherited } from "./inherited.ts";

/** An original that is known by its storage handle, alive or remembered. */
export interface KnownOriginal {
  readonly inherited: Inherited;
  /** All its labels, as last seen. */
  readonly labels: StringMap;
}

/**
 * What rules may ask about other objects. Answers come from caches; a cache miss costs one bounded look-up,
 * never more. `undefined` means that the object does not exist; a look-up that fails rejects.
 */
export interface Lookup {
  volumeSnapshot(namespace: string, name: string): Promise<VolumeSnapshot | undefined>;
  volumeSnapshotContent(name: string): Promise<VolumeSnapshotContent | undefined>;
  dataUpload(namespace: string, name: string): Promise<DataUpload | undefined>;
  /** A DataUpload in one of these namespaces that is labelled with this alias. */
  dataUploadByAlias(namespaces: readonly string[], alias: string): DataUpload | undefined;
  /** The Backup whose name, as a label value, is this. */
  backupByLabel(namespaces: readonly string[], labelValue: string): Promise<Backup | undefined>;
  persistentVolumeClaim(namespace: string, name: string): Promise<PersistentVolumeClaim | undefined>;
  persistentVolume(name: string): Promise<PersistentVolume | undefined>;
  /** A claim and the volume that it is bound to, as far as they exist, both within the time of one look-up. */
  claimWithVolume(namespace: string, name: string): Promise<ClaimWithVolume>;
  /** The original of a storage snapshot: alive (found by its handle), else remembered after it was deleted. */
  originalByHandle(source: string, handle: string): KnownOriginal | undefined;
  /** How many snapshots of a volume there are, retained or on their way. */
  snapshotsOf(volume: VolumeIdentity): number;
}

/** A PersistentVolumeClaim and its PersistentVolume. */
export interface ClaimWithVolume {
  readonly claim?: PersistentVolumeClaim | undefined;
  readonly volume?: PersistentVolume | undefined;
}

/** A volume, by each name under which its snapshots may be known. */
export interface VolumeIdentity {
  /** Value of the label velero.io/snapshot-volume-name. */
  readonly volumeName: string;
  /** As the storage knows it: several PVCs may have had the same one. */
  readonly stored?: { readonly driver: string; readonly handle: string } | undefined;
}

/** Thrown by a look-up that failed or took too long. */
export class LookupFailed extends Error {
  override readonly name = "LookupFailed";
}
