import { BEING_DELETED_ANNOTATION, RELEASED_ANNOTATION, RELEASED_AT_ANNOTATION } from "../kube/keys.ts";
import type { Outcome } from "../kube/work-queue-state.ts";
import type { Free, LeftOver, ObjectRef } from "../retention/plan.ts";
import { formatTime } from "../retention/time.ts";
import { contentPath, dataUploadPath, metadataOf, snapshotPath } from "./writes.ts";
import type { Writes } from "./writes.ts";

/** What freeing needs beside the action itself. */
export interface FreeOptions {
  readonly writes: Writes;
  /** Resolves while we are the leader, as the API server has it now; rejects where we may not be. */
  readonly confirm: () => Promise<void>;
  /** Told when the first step that cannot be undone was made. */
  readonly onBegun: (action: Free) => void;
  /** Milliseconds since 1970. */
  readonly now: () => number;
}

/** The sidecar needs its time, a watch may be late: looked at again without being told to. */
const LOOK_AGAIN_MS = 5_000;

/**
 * Brings one snapshot as near to being freed as it is possible now. Each step is made again if need be, and the
 * order is such that whoever dies in between leaves nothing that the next look cannot finish:
 * the DataUpload says that it is released, so that nobody makes the content again; an original that was left behind goes;
 * the policy becomes Delete, with the mark that the sidecar wants of a content that was bound; its VolumeSnapshot goes; the
 * content is deleted.
 */
export async function applyFree(action: Free, options: FreeOptions): Promise<Outcome> {
  const { writes, confirm } = options;
  if (!action.deleting && !action.handleInStatus) {
    // Deleted now, the object would go and the snapshot would stay.
    return { kind: "again", afterMs: LOOK_AGAIN_MS };
  }
  if (action.release !== undefined) {
    await confirm();
    await release(action.release, action.reason, { writes, now: options.now });
  }
  if (action.original !== undefined) {
    return clear(action.original, action, options);
  }
  const content = await prepare(action, options);
  if (action.deleting) {
    return { kind: "again", afterMs: LOOK_AGAIN_MS };
  }
  if (action.snapshot !== undefined) {
    return freeBySnapshot(action.snapshot, options);
  }
  await confirm();
  await writes.remove(contentPath(content.name), content);
  return { kind: "done" };
}

/** Writes on a DataUpload why and when its snapshot is given up. */
export async function release(
  dataUpload: ObjectRef,
  reason: string,
  { writes, now }: Pick<FreeOptions, "writes" | "now">,
): Promise<void> {
  // Velero writes to it at any time, so no version is asked for.
  const ref = { ...dataUpload, resourceVersion: undefined };
  await writes.patch(dataUploadPath(dataUpload), ref, {
    metadata: { annotations: { [RELEASED_ANNOTATION]: reason, [RELEASED_AT_ANNOTATION]: formatTime(now()) } },
  });
}

/** Removes an original: mostly the object alone, since its policy is Retain by then. */
async function clear(original: LeftOver, action: Free, options: FreeOptions): Promise<Outcome> {
  const { writes, confirm, onBegun } = options;
  await confirm();
  if (!action.started) {
    // Whoever looks at it next knows by the label that it was begun.
    await writes.patch(contentPath(action.content.name), action.content, {
      metadata: { labels: action.labels },
    });
    onBegun(action);
  }
  if (original.snapshot !== undefined) {
    return freeBySnapshot(original.snapshot, options);
  }
  const path = contentPath(original.content.name);
  const { resourceVersion } = original.unmarked
    ? metadataOf(await writes.patch(path, original.content, { metadata: { annotations: MARK } }))
    : original.content;
  if (!original.deleting) {
    await confirm();
    await writes.remove(path, { ...original.content, resourceVersion });
  }
  return { kind: "again", afterMs: LOOK_AGAIN_MS };
}

const MARK = { [BEING_DELETED_ANNOTATION]: "yes" };

/** Sets what deleting needs; the content in its newest version. */
async function prepare(action: Free, { writes, confirm, onBegun }: FreeOptions): Promise<ObjectRef> {
  const mark = action.bound && !action.markedBeingDeleted && action.snapshot === undefined;
  if (action.deleting && !mark) {
    return action.content;
  }
  const path = contentPath(action.content.name);
  await confirm();
  const answer = await writes.patch(path, action.content, {
    metadata: {
      labels: action.labels,
      ...(mark && { annotations: MARK }),
      ...(action.finalizers && { finalizers: action.finalizers }),
    },
    spec: { deletionPolicy: "Delete" },
  });
  if (!action.started) onBegun(action);
  return { ...action.content, resourceVersion: metadataOf(answer).resourceVersion };
}

/** While its VolumeSnapshot exists, deleting that deletes the content; Velero has the first turn. */
async function freeBySnapshot(
  snapshot: NonNullable<Free["snapshot"]>,
  { writes, confirm, now }: FreeOptions,
): Promise<Outcome> {
  const wait = snapshot.deleteAt - now();
  if (wait > 0) {
    return { kind: "again", afterMs: wait };
  }
  await confirm();
  await writes.remove(snapshotPath(snapshot), { ...snapshot, resourceVersion: undefined });
  return { kind: "again", afterMs: LOOK_AGAIN_MS };
}
