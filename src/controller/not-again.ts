import { RELEASED_LABEL } from "../kube/keys.ts";
import { valueOf } from "../kube/objects.ts";
import type { VolumeSnapshotContent } from "../retention/objects.ts";
import type { Action, Recreate, Release } from "../retention/plan.ts";
import type { World } from "../retention/world.ts";

/**
 * The actions without those that would make a content again whose snapshot went with it. The watch of contents may be ahead of
 * the watch of DataUploads, or somebody deleted one with the policy Delete faster than we could note it: then its
 * DataUpload is told instead.
 */
export function notAgain(
  actions: readonly Action[],
  world: Pick<World, "dataUploads">,
  gone: (name: string) => VolumeSnapshotContent | undefined,
): Action[] {
  return actions.flatMap((action) => {
    const content = action.kind === "recreate" ? gone(action.name) : undefined;
    if (action.kind !== "recreate" || content === undefined) return [action];
    // Freed by ourselves, it was told before anything else was done.
    return valueOf(content.metadata.labels, RELEASED_LABEL) === undefined ? releaseOf(action, world) : [];
  });
}

function releaseOf({ key, snapshotRef }: Recreate, { dataUploads }: Pick<World, "dataUploads">): Release[] {
  const upload = dataUploads.find(
    ({ metadata }) => metadata.namespace === snapshotRef.namespace && metadata.name === snapshotRef.name,
  );
  if (upload === undefined) return [];
  const { namespace, name = "", uid, resourceVersion } = upload.metadata;
  return [
    {
      kind: "release",
      key,
      message: "its content was deleted with the policy Delete, not by us",
      dataUpload: { namespace, name, uid, resourceVersion },
      reason: "being_deleted",
    },
  ];
}
