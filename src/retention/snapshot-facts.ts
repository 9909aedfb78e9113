import type { DataUpload, PersistentVolumeClaim } from "./objects.ts";
import type { Relations } from "./relations.ts";
import type { Draft, StorageSnapshot } from "./storage-snapshot.ts";
import { timeOf } from "./time.ts";

/** When a snapshot was taken, for ordering, and when the first trace of it was made. */
export function timesOf(draft: Draft): Pick<StorageSnapshot, "takenNs" | "bornAt"> {
  const { content, original, originalSnapshot, vanished, identity } = draft;
  let earliest = Infinity;
  for (const object of [content, original, originalSnapshot, vanished, identity.upload]) {
    earliest = Math.min(earliest, timeOf(object?.metadata.creationTimestamp) ?? Infinity);
  }
  const storageNs = (content ?? original ?? vanished)?.status?.creationTime ?? 0;
  // One of unknown age is taken for the newest: that can only keep it.
  return {
    takenNs: storageNs > 0 ? storageNs : earliest * 1e6,
    // By the API server's clock alone, which also dates Backups: a storage's clock may be hours off.
    bornAt: earliest === Infinity ? undefined : earliest,
  };
}

/** The volume that a snapshot was taken of, as the storage knows it; undefined where nothing tells for certain. */
export function volumeHandleOf(draft: Draft, relations: Relations): string | undefined {
  const { upload, document } = draft.identity;
  return (
    draft.original?.spec.source.volumeHandle ??
    document?.snapshot?.volumeHandle ??
    (upload && recordedVolume(upload, relations)) ??
    handleOfClaim(draft, relations)
  );
}

function recordedVolume({ metadata, status }: DataUpload, relations: Relations): string | undefined {
  return status?.dataMoverResult?.["volumeHandle"] ?? relations.document(metadata)?.snapshot?.volumeHandle;
}

/** The volume behind the PersistentVolumeClaim of that name, if that one existed when the snapshot was taken. */
function handleOfClaim({ identity, content, vanished }: Draft, relations: Relations): string | undefined {
  const { namespace = "", name } = identity.volume;
  const claim = relations.claim(namespace, name);
  const until = content ?? vanished ?? identity.upload;
  return claim !== undefined && (until === undefined || existedAt(claim, until.metadata.creationTimestamp))
    ? storedVolumeOf(claim, relations)?.volumeHandle
    : undefined;
}

/** The volume of a claim, as the storage knows it. */
export function storedVolumeOf(
  claim: PersistentVolumeClaim | undefined,
  relations: Relations,
): { readonly driver: string; readonly volumeHandle: string } | undefined {
  return relations.volume(claim?.spec?.volumeName ?? "")?.spec?.csi ?? undefined;
}

/** The driver of a snapshot, that of its volume while it has no content. */
export function driverOf({ driver, identity }: Draft, relations: Relations): string | undefined {
  const { namespace = "", name } = identity.volume;
  return driver ?? storedVolumeOf(relations.claim(namespace, name), relations)?.driver;
}

function existedAt({ metadata }: PersistentVolumeClaim, time: string | null | undefined): boolean {
  const since = timeOf(metadata.creationTimestamp);
  const until = timeOf(time);
  return since !== undefined && until !== undefined && since <= until;
}
