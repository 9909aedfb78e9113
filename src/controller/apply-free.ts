import * as z from "zod";
import { BEING_DELETED_ANNOTATION, RELEASED_ANNOTATION } from "../kube/keys.ts";
import type { Outcome } from "../kube/work-queue-state.ts";
import type { Free, ObjectRef } from "../retention/plan.ts";
import { CONTENT_FINALIZER, contentPath, dataUploadPath, metadataOf, snapshotPath } from "./writes.ts";
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
 * the DataUpload says that it is released, so that nobody makes the content again; the policy becomes Delete, with the
 * mark that the sidecar wants of a content that was bound; its VolumeSnapshot goes; the content is deleted.
 */
export async function applyFree(action: Free, options: FreeOptions): Promise<Outcome> {
  const { writes, confirm } = options;
  if (!action.deleting && !action.handleInStatus) {
    // Deleted now, the object would go and the snapshot would stay.
    return { kind: "again", afterMs: LOOK_AGAIN_MS };
  }
  if (action.release !== undefined) {
    await confirm();
    await release(action.release, action.reason, writes);
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

/** Writes on a DataUpload why its snapshot is given up. */
export async function release(dataUpload: ObjectRef, reason: string, writes: Writes): Promise<void> {
  // Velero writes to it at any time, so no version is asked for.
  const ref = { ...dataUpload, resourceVersion: undefined };
  await writes.patch(dataUploadPath(dataUpload), ref, {
    metadata: { annotations: { [RELEASED_ANNOTATION]: reason } },
  });
}

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
      ...(mark && { annotations: { [BEING_DELETED_ANNOTATION]: "yes" } }),
    },
    spec: { deletionPolicy: "Delete" },
  });
  if (!action.started) onBegun(action);
  const content = { ...action.content, resourceVersion: metadataOf(answer).resourceVersion };
  const { finalizers } = Finalized.parse(answer).metadata;
  if (action.deleting || finalizers.includes(CONTENT_FINALIZER)) {
    return content;
  }
  const withOurs = { metadata: { finalizers: [...finalizers, CONTENT_FINALIZER] } };
  return {
    ...content,
    resourceVersion: metadataOf(await writes.patch(path, content, withOurs)).resourceVersion,
  };
}

const Finalized = z.object({ metadata: z.object({ finalizers: z.array(z.string()).default([]) }) });

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
