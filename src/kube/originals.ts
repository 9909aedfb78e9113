import { readInherited } from "../admission/inherited.ts";
import type { Inherited } from "../admission/inherited.ts";
import type { KnownOriginal } from "../admission/lookup.ts";
import type { Signer } from "../admission/signer.ts";
import type { Metadata } from "./objects.ts";

/** Which originals are alive, by what identifies their snapshot on the storage. */
export interface LivingOriginals {
  /** Takes note of an object that carries our document, or of its deletion. */
  update(object: StoredSnapshot | undefined, before: StoredSnapshot | undefined): void;
  find(source: string, handle: string): KnownOriginal | undefined;
}

/** An object that stands for a storage snapshot: its metadata, and the storage's identity once known. */
export interface StoredSnapshot {
  readonly metadata: Metadata;
  /** CSI driver, or the name of the policy's snapshotAssociatedObjects entry. */
  readonly source: string;
  readonly handle: string | undefined;
  /** Whether it may be an original; a clone need not be remembered. */
  readonly original: boolean;
}

/** Told of each original as soon as its handle is known, and when it is gone. */
export type OnOriginal = (found: FoundOriginal) => void;

/** An original, by what identifies its snapshot on the storage. */
export interface FoundOriginal {
  readonly source: string;
  readonly handle: string;
  readonly original: KnownOriginal;
  /** Creation time of the object, milliseconds since 1970. */
  readonly created: number;
  /** Whether this was the last that is seen of it. */
  readonly gone: boolean;
}

/** An index over watched objects; several objects may share a snapshot, any of them will do. */
export function createLivingOriginals(signer: Signer, onOriginal: OnOriginal): LivingOriginals {
  const byHandle = new Map<string, Map<string, KnownOriginal>>();
  function remove(object: StoredSnapshot): void {
    const key = handleKey(object.source, object.handle ?? "");
    const group = byHandle.get(key);
    group?.delete(object.metadata.uid ?? "");
    if (group?.size === 0) {
      byHandle.delete(key);
    }
  }
  function add(object: StoredSnapshot, handle: string, inherited: Inherited): void {
    const key = handleKey(object.source, handle);
    const group = byHandle.get(key) ?? new Map<string, KnownOriginal>();
    group.set(object.metadata.uid ?? "", { inherited, labels: object.metadata.labels ?? {} });
    byHandle.set(key, group);
  }
  function tell(object: StoredSnapshot, inherited: Inherited, gone: boolean): void {
    const { source, handle, metadata } = object;
    if (object.original && handle !== undefined) {
      const original = { inherited, labels: metadata.labels ?? {} };
      const created = Date.parse(metadata.creationTimestamp ?? "");
      onOriginal({ source, handle, original, created, gone });
    }
  }
  return {
    update(object, before) {
      if (before !== undefined) {
        remove(before);
      }
      const last = object ?? before;
      const inherited = readInherited(last?.metadata, signer);
      if (last === undefined || inherited === undefined) {
        return;
      }
      if (object?.handle !== undefined) {
        add(object, object.handle, inherited);
      }
      tell(last, inherited, object === undefined);
    },
    find: (source, handle) => byHandle.get(handleKey(source, handle))?.values().next().value,
  };
}

/** One text for a snapshot's identity; a newline is in neither a driver's name nor a handle. */
export function handleKey(source: string, handle: string): string {
  // Joined, since a template's text keeps its parts and one more object beside the whole once it was looked up.
  return [source, handle].join("\n");
}
