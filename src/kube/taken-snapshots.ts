import { readInherited } from "../admission/inherited.ts";
import type { VolumeIdentity } from "../admission/lookup.ts";
import type { Signer } from "../admission/signer.ts";
import type { Metadata } from "./objects.ts";
import { handleKey } from "./originals.ts";

/** How many snapshots there are of each volume, by the documents on their objects. */
export interface TakenSnapshots {
  /** Takes note of an object that may carry our document, or of its deletion. */
  update(object: Metadata | undefined, before: Metadata | undefined): void;
  /** Snapshots of the volume by whichever of its names knows more of them; clones of one count once. */
  count(volume: VolumeIdentity): number;
}

/** An index over watched objects. Those without a document of ours are not counted. */
export function createTakenSnapshots(signer: Signer): TakenSnapshots {
  /** Aliases of a volume's snapshots, by the UIDs of their objects. */
  const volumes = new Map<string, Map<string, string>>();
  /** Where an object was put, since what it said before may no longer be read from it. */
  const places = new Map<string, readonly string[]>();
  function remove(uid: string): void {
    for (const key of places.get(uid) ?? []) {
      const group = volumes.get(key);
      group?.delete(uid);
      if (group?.size === 0) {
        volumes.delete(key);
      }
    }
    places.delete(uid);
  }
  function add(uid: string, keys: readonly string[], alias: string): void {
    places.set(uid, keys);
    for (const key of keys) {
      const group = volumes.get(key) ?? new Map<string, string>();
      group.set(uid, alias);
      volumes.set(key, group);
    }
  }
  return {
    update(object, before) {
      remove(before?.uid ?? "");
      const inherited = readInherited(object, signer);
      if (inherited !== undefined) {
        const { volumeName, snapshot, alias } = inherited;
        const stored =
          snapshot?.volumeHandle === undefined
            ? undefined
            : { driver: snapshot.driver, handle: snapshot.volumeHandle };
        add(object?.uid ?? "", keysOf({ volumeName, stored }), alias);
      }
    },
    count(volume) {
      return Math.max(...keysOf(volume).map((key) => new Set(volumes.get(key)?.values()).size));
    },
  };
}

function keysOf({ volumeName, stored }: VolumeIdentity): readonly string[] {
  // A volume name, being a label's value, holds no newline; a key of the storage does.
  return stored === undefined ? [volumeName] : [volumeName, handleKey(stored.driver, stored.handle)];
}
