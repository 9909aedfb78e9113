import { DATA_DOWNLOAD_ANNOTATION, DATA_DOWNLOAD_LABEL } from "../kube/keys.ts";
import { valueOf } from "../kube/objects.ts";
import type { Metadata } from "../kube/objects.ts";
import { madeFor } from "../restore/names.ts";
import type { LeftoverRef } from "./restore-reads.ts";

/** What restores made, as watches see it, so that nothing is left behind whoever dies. */
export interface RestoreObjects {
  /** Takes note of a VolumeSnapshotContent, a VolumeSnapshot, a claim or a volume, or of its end. */
  update(kind: RestoreKind, now: Metadata | undefined, before: Metadata | undefined): void;
  /** By the UID of the DataDownload. */
  all(): readonly RestoreTrace[];
}

export type RestoreKind = "content" | "snapshot" | "claim" | "volume";

/** Everything that was seen of one restore. */
export interface RestoreTrace extends LeftoverRef {
  /** Changes whenever one of the objects does. */
  readonly print: string;
}

/** Nothing seen yet. */
export function createRestoreObjects(): RestoreObjects {
  const seen = new Map<
    string,
    { readonly uid: string; readonly kind: RestoreKind; readonly metadata: Metadata }
  >();
  return {
    update(kind, now, before) {
      if (before !== undefined && uidOf(kind, before) !== undefined) seen.delete(keyOf(kind, before));
      const uid = now && uidOf(kind, now);
      if (now !== undefined && uid !== undefined) seen.set(keyOf(kind, now), { uid, kind, metadata: now });
    },
    all() {
      const byUid = Map.groupBy(seen.values(), ({ uid }) => uid);
      return [...byUid].map(([uid, parts]) => ({
        uid,
        download: downloadOf(parts.map(({ metadata }) => metadata)),
        volumes: parts.flatMap(({ kind, metadata }) => (kind === "volume" ? [metadata.name ?? ""] : [])),
        print: parts.map(({ metadata }) => metadata.resourceVersion ?? "").join(" "),
      }));
    },
  };
}

/** A volume has a name of its own; it is only marked while it is being bound. */
function uidOf(kind: RestoreKind, metadata: Metadata): string | undefined {
  return kind === "volume" ? valueOf(metadata.labels, DATA_DOWNLOAD_LABEL) : madeFor(metadata);
}

function keyOf(kind: RestoreKind, { namespace = "", name = "" }: Metadata): string {
  return `${kind} ${namespace}/${name}`;
}

function downloadOf(objects: readonly Metadata[]): LeftoverRef["download"] {
  for (const { annotations } of objects) {
    const [namespace, name] = (valueOf(annotations, DATA_DOWNLOAD_ANNOTATION) ?? "").split("/");
    if (namespace !== undefined && name !== undefined) return { namespace, name };
  }
  return { namespace: objects.find(({ namespace = "" }) => namespace !== "")?.namespace ?? "", name: "" };
}
