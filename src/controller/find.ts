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
type OneOrMore = VolumeSnapshotContent | readonly VolumeSnapshotContent[];

/** No contents yet. */
export function createContentsByHandle(): ContentsByHandle {
  const drivers = new Map<string, Map<string, OneOrMore>>();
  function contentsOf(driver: string, handle: string): readonly VolumeSnapshotContent[] {
    const found = drivers.get(driver)?.get(handle);
    if (found === undefined) return [];
    return "metadata" in found ? [found] : found;
  }
  function put(like: VolumeSnapshotContent, contents: readonly VolumeSnapshotContent[]): void {
    const { driver } = like.spec;
    const handles = drivers.get(driver) ?? new Map<string, OneOrMore>();
    drivers.set(driver, handles);
    const [first, ...others] = contents;
    if (first === undefined) handles.delete(handleOf(like) ?? "");
    else handles.set(handleOf(like) ?? "", others.length === 0 ? first : contents);
  }
  return {
    contentsOf,
    update(now, before) {
      if (before !== undefined)
        put(
          before,
          of(before).filter((content) => content !== before),
        );
      if (now !== undefined) put(now, [...of(now), now]);
    },
  };
  function of(content: VolumeSnapshotContent): readonly VolumeSnapshotContent[] {
    return contentsOf(content.spec.driver, handleOf(content) ?? "");
  }
}

type Found = "contents" | "snapshots" | "dataUploads" | "claims" | "volumes";

/** Finds what the caches hold now: of a world that was gathered from them a moment ago, and nothing awaited since. */
export function createFinder(
  {
    contents,
    snapshots,
    dataUploads,
    claims,
    volumes,
  }: { readonly [Name in Found]: Pick<Caches[Name], "get"> },
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
