import type { DataDownload } from "../kube/objects.ts";
import type { Claim, Content, Snapshot, StorageClass, Volume } from "./objects.ts";
import type { RestoreSource } from "./source.ts";

/** Everything that one step of a restore is decided from, read just before it. */
export interface RestoreFacts {
  /** Ours, and not over. */
  readonly download: DataDownload;
  /** Undefined where there is none that the webhook wrote for it. */
  readonly source: RestoreSource | undefined;
  /** The claim to be restored; Velero creates it a moment after the DataDownload. */
  readonly target: Claim | undefined;
  /** Of the target. */
  readonly storageClass: StorageClass | undefined;
  /** The content of the retained snapshot, where it is of this cluster. */
  readonly retained: Content | undefined;
  /** What the restore made so far: a second content for the same snapshot, its VolumeSnapshot, and a claim made from it. */
  readonly content: Content | undefined;
  readonly snapshot: Snapshot | undefined;
  readonly claim: Claim | undefined;
  /** The volume of that claim, which the target is to have. */
  readonly volume: Volume | undefined;
}
