import type { DocumentReader, World } from "../retention/world.ts";
import type { Caches } from "./caches.ts";
import type { Sightings } from "./sightings.ts";

/** The world as the caches have it at `now` (milliseconds since 1970), with what was seen and is gone. Reads nothing. */
export function gather(caches: Caches, sightings: Sightings, documents: DocumentReader, now: number): World {
  return {
    contents: [...caches.contents.values()],
    snapshots: [...caches.snapshots.values()],
    dataUploads: [...caches.dataUploads.values()],
    backups: [...caches.backups.values()],
    deleteBackupRequests: [...caches.deleteBackupRequests.values()],
    storageLocations: [...caches.storageLocations.values()],
    dataDownloads: [...caches.dataDownloads.values()],
    claims: [...caches.claims.values()],
    volumes: [...caches.volumes.values()],
    documents,
    ...sightings.read(now),
  };
}
