import { hasOtherMover } from "../admission/retain.ts";
import type { VolumeSnapshotContent } from "./objects.ts";
import type { Relations } from "./relations.ts";
import type { Draft } from "./storage-snapshot.ts";

/** The contents of one snapshot, with what Velero's data mover left behind in its place. */
export type Contents = Pick<Draft, "content" | "original">;

/**
 * A data mover that dies while it exposes a snapshot leaves its original. Beside a clone it is found by the handle: one
 * with a volumeHandle is no clone, so it is what the clone was made from. Alone it takes the clone's place, once its
 * DataUpload has failed: nobody will clone it any more.
 */
export function contentsWithLeftOver(draft: Draft, relations: Relations): Contents {
  const { content } = draft;
  const original = draft.original ?? originalOfClone(draft, relations);
  return content === undefined && isGivenUp(original, draft)
    ? { content: original, original: undefined }
    : { content, original };
}

function originalOfClone(
  { content, driver, handle }: Draft,
  relations: Relations,
): VolumeSnapshotContent | undefined {
  if (content === undefined || driver === undefined || handle === undefined) {
    return undefined;
  }
  const [first] = relations
    .contentsOf(driver, handle)
    .filter(({ spec }) => spec.source.volumeHandle !== undefined)
    .toSorted((a, b) => ((a.metadata.name ?? "") < (b.metadata.name ?? "") ? -1 : 1));
  return first;
}

/** Only Velero's own mover is known to have no use for it then, and only the very one that the DataUpload names is meant. */
function isGivenUp(original: VolumeSnapshotContent | undefined, { identity }: Draft): boolean {
  const { upload, document } = identity;
  const phase = upload?.status?.phase;
  if (original === undefined || document === undefined || upload === undefined || hasOtherMover(upload)) {
    return false;
  }
  const { namespace, name } = original.spec.volumeSnapshotRef;
  return (
    (phase === "Failed" || phase === "Canceled") &&
    upload.spec.sourceNamespace === namespace &&
    upload.spec.csiSnapshot?.volumeSnapshot === name
  );
}
