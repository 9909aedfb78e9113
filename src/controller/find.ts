import type { VolumeSnapshotContent } from "../retention/objects.ts";
import { handleOf } from "../retention/relations.ts";
import type { Finder } from "../retention/relations.ts";
import type { Caches } from "./caches.ts";

/** All contents of the cluster by the snapshot that they stand for, as they come and go. */
export interface ContentsByHandle {
  /** Takes note of a content, or of its end. */
  update(now: VolumeSnapshotContent | undefined, before: VolumeSnapshotContent | undefined): void;
  /** Those of this snapshot; an empty handle for those that have none yet. */
  contentsOf(driver: string, handle: string): readonly VolumeSnapshotContent[];
}

/** Nearly always one: a list for each would be one more object for each snapshot of the cluster. */
type OneOrMore = VolumeSnapshotContent | Contents;
type Contents = readonly VolumeSnapshotContent[];

/** No contents yet. */
export function createContentsByHandle(): ContentsByHandle {
  const drivers = new Map<string, Map<string, OneOrMore>>();
  function contentsOf(driver: string, handle: string): readonly VolumeSnapshotContent[] {
    const found = drivers.get(driver)?.get(handle);
    if (found === undefined) return [];
    return "metadata" in found ? [found] : found;
  }
  /** Puts others in the place of those that stand for the same snapshot. */
  function replace(content: VolumeSnapshotContent, change: (those: Contents) => Contents): void {
    const { driver } = content.spec;
    const handle = handleOf(content) ?? "";
    const handles = drivers.get(driver) ?? new Map<string, OneOrMore>();
    const those = change(contentsOf(driver, handle));
    const [first, ...others] = those;
    if (first === undefined) handles.delete(handle);
    else handles.set(handle, others.length === 0 ? first : those);
    drivers.set(driver, handles);
  }
  return {
    contentsOf,
    update(now, before) {
      if (before !== undefined) replace(before, (those) => those.filter((one) => one !== before));
      if (now !== undefined) replace(now, (those) => [...those, now]);
    },
  };
}

/** The caches that are asked. */
type Asked = {
  readonly [Name in "contents" | "snapshots" | "dataUploads" | "claims" | "volumes"]: Pick<
    Caches[Name],
    "get"
  >;
};

/** Finds what the caches hold now: of a world that was gathered from them a moment ago, and nothing awaited since. */
export function createFinder(
  { contents, snapshots, dataUploads, claims, volumes }: Asked,
  handles: Pick<ContentsByHandle, "contentsOf">,
): Finder {
  return {
    content: (name) => contents.get("", name),
    contentsOf: handles.contentsOf,
    snapshot: (namespace, name) => snapshots.get(namespace, name),
    upload: (namespace, name) => dataUploads.get(namespace, name),
    claim: (namespace, name) => claims.get(namespace, name),
    volume: (name) => volumes.get("", name),
  };
}
