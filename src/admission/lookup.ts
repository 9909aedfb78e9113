import type { DataUploadResult } from "../kube/data-upload-result.ts";
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

/** What a look-up finds: at once where a cache has it, else in a while. `undefined` means that it does not exist. */
export type Found<T> = T | undefined | Promise<T | undefined>;

/**
 * What rules may ask about other objects. Answers come from caches; a cache miss costs one bounded look-up,
 * never more. A look-up that fails rejects.
 */
export interface Lookup {
  volumeSnapshot(namespace: string, name: string): Found<VolumeSnapshot>;
  volumeSnapshotContent(name: string): Found<VolumeSnapshotContent>;
  dataUpload(namespace: string, name: string): Found<DataUpload>;
  /** A DataUpload in one of these namespaces that is labelled with this alias. */
  dataUploadByAlias(namespaces: readonly string[], alias: string): DataUpload | undefined;
  /** The Backup whose name, as a label value, is this. */
  backupByLabel(namespaces: readonly string[], labelValue: string): Found<Backup>;
  persistentVolumeClaim(namespace: string, name: string): Promise<PersistentVolumeClaim | undefined>;
  persistentVolume(name: string): Promise<PersistentVolume | undefined>;
  /** A claim and the volume that it is bound to, as far as they exist, both within the time of one look-up. */
  claimWithVolume(namespace: string, name: string): Promise<ClaimWithVolume>;
  /** The original of a storage snapshot: alive (found by its handle), else remembered after it was deleted. */
  originalByHandle(source: string, handle: string): KnownOriginal | undefined;
  /** How many snapshots of a volume there are, retained or on their way. */
  snapshotsOf(volume: VolumeIdentity): number;
  /** The retained contents whose documents name this claim. */
  retainedOf(claim: ClaimName): readonly VolumeSnapshotContent[];
  /** The DataUpload in this namespace that moved this data. */
  dataUploadOf(namespace: string, data: MovedData): DataUpload | undefined;
  /** What a restore was told of a claim by its backup; Velero goes on with exactly one. */
  dataUploadResults(namespace: string, restored: Restored): Promise<readonly DataUploadResult[]>;
}

/** A PersistentVolumeClaim, by its name. */
export interface ClaimName {
  readonly namespace: string;
  readonly name: string;
}

/** The data of a volume that a data mover copied. */
export interface MovedData {
  /** That it was copied from. */
  readonly claim: ClaimName;
  /** Velero's id of the data: another one for each backup. */
  readonly snapshotID: string;
}

/** A backed-up claim in a restore. */
export interface Restored {
  readonly restoreUid: string;
  readonly claim: ClaimName;
}

/** Goes on with what was found, without waiting where it is there already: a promise costs as much as a rule. */
export function withFound<T, R>(found: Found<T>, go: (object: T | undefined) => R): R | Promise<R> {
  return found instanceof Promise ? found.then(go) : go(found);
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
