import { writeInherited } from "../admission/inherited.ts";
import type { Signer } from "../admission/signer.ts";
import { CONTENT_FINALIZER, HOLD_FINALIZER, INHERITED_ANNOTATION, RETAINED_LABEL } from "../kube/keys.ts";
import { isOvertaken } from "../kube/rest.ts";
import type { Outcome } from "../kube/work-queue-state.ts";
import type { Action, Label, LetGo, Mend, ObjectRef, Protect, Recreate } from "../retention/plan.ts";
import { applyFree, release } from "./apply-free.ts";
import type { FreeOptions } from "./apply-free.ts";
import type { Recorder } from "./apply-record.ts";
import { backupPath, contentPath, dataUploadPath, metadataOf, snapshotPath } from "./writes.ts";
import type { Change, Writes } from "./writes.ts";

/** What applying needs. */
export interface ApplyOptions extends FreeOptions {
  readonly signer: Signer;
  readonly recorder: Recorder;
}

/** An action that could not be done; the cause says why. */
export class ActionFailed extends Error {
  override readonly name = "ActionFailed";
  readonly action: Action;
  constructor(action: Action, cause: unknown) {
    super(`${action.kind} of ${action.key} failed`, { cause });
    this.action = action;
  }
}

/**
 * Does what the plan says of one object, in its order. Resolves with what is left to do; what was overtaken by another
 * change is left to the next plan; rejects with `ActionFailed` for whatever else the API server says.
 */
export async function applyActions(
  actions: readonly Action[],
  options: ApplyOptions,
  onApplied: (action: Action) => void,
): Promise<Outcome> {
  const latest = createVersions();
  let last: Outcome = { kind: "done" };
  for (const action of actions) {
    try {
      last = await applyAction(latest.update(action), { ...options, writes: latest.watch(options.writes) });
    } catch (error) {
      // The watches tell, and the next plan decides again.
      if (isOvertaken(error)) return { kind: "done" };
      throw new ActionFailed(action, error);
    }
    onApplied(action);
  }
  return last;
}

async function applyAction(action: Action, options: ApplyOptions): Promise<Outcome> {
  const { writes, signer } = options;
  switch (action.kind) {
    case "protect":
      await patchContent(action.content, protection(action), writes);
      return DONE;
    case "label":
      await patchContent(action.content, { metadata: labelsOf(action, signer) }, writes);
      return DONE;
    case "mend":
      await mend(action, writes, signer);
      return DONE;
    case "mark":
      await patchContent(action.content, { metadata: { labels: action.labels } }, writes);
      return DONE;
    case "record":
      await options.recorder.record(action, writes);
      return DONE;
    case "letGo":
      await options.confirm();
      await letGo(action, writes);
      return DONE;
    case "release":
      await options.confirm();
      await release(action.dataUpload, action.reason, options);
      return DONE;
    case "recreate":
      // Who comes late would make one again that its successor has freed.
      await options.confirm();
      await recreate(action, writes, signer);
      return DONE;
    case "free":
      return applyFree(action, options);
  }
}

const DONE = { kind: "done" } as const;

async function patchContent(content: ObjectRef, change: Change, writes: Writes): Promise<void> {
  await writes.patch(contentPath(content.name), content, change);
}

/** By whatever version: nobody else writes these keys. */
async function mend(action: Mend, writes: Writes, signer: Signer): Promise<void> {
  const { objectKind, object, annotations } = action;
  const path = MENDED_PATHS[objectKind](object);
  const signed = labelsOf(action, signer);
  const metadata = { ...signed, annotations: { ...annotations, ...signed.annotations } };
  await writes.patch(path, { ...object, resourceVersion: undefined }, { metadata });
}

const MENDED_PATHS: Readonly<Record<Mend["objectKind"], (object: ObjectRef) => string>> = {
  Backup: backupPath,
  DataUpload: dataUploadPath,
  VolumeSnapshot: snapshotPath,
  VolumeSnapshotContent: ({ name }) => contentPath(name),
};

function labelsOf(
  { labels, document }: Pick<Label, "labels" | "document">,
  signer: Signer,
): NonNullable<Change["metadata"]> {
  return document === undefined
    ? { labels }
    : { labels, annotations: { [INHERITED_ANNOTATION]: writeInherited(document, signer) } };
}

function protection({ finalizers }: Protect): Change {
  return { spec: { deletionPolicy: "Retain" }, ...(finalizers && { metadata: { finalizers } }) };
}

async function letGo({ content, finalizers, forget }: LetGo, writes: Writes): Promise<void> {
  const path = contentPath(content.name);
  // Seen to disappear with the label, it would be made again.
  const { resourceVersion } = forget
    ? metadataOf(await writes.patch(path, content, { metadata: { labels: { [RETAINED_LABEL]: null } } }))
    : content;
  await writes.patch(path, { ...content, resourceVersion }, { metadata: { finalizers } });
}

async function recreate(action: Recreate, writes: Writes, signer: Signer): Promise<void> {
  const { name, labels, annotations, document, driver, handle, snapshotRef } = action;
  await writes.create(contentPath(), {
    apiVersion: "snapshot.storage.k8s.io/v1",
    kind: "VolumeSnapshotContent",
    metadata: {
      name,
      labels,
      annotations: { ...annotations, [INHERITED_ANNOTATION]: writeInherited(document, signer) },
      finalizers: [HOLD_FINALIZER, CONTENT_FINALIZER],
    },
    spec: {
      deletionPolicy: "Retain",
      driver,
      source: { snapshotHandle: handle },
      volumeSnapshotClassName: action.snapshotClass,
      sourceVolumeMode: action.sourceVolumeMode,
      volumeSnapshotRef: { ...snapshotRef, apiVersion: "snapshot.storage.k8s.io/v1", kind: "VolumeSnapshot" },
    },
  });
}

/** Our own writes change an object's version, which the plan's later actions of the same object do not know of. */
function createVersions(): { update(action: Action): Action; watch(writes: Writes): Writes } {
  const versions = new Map<string, string | undefined>();
  return {
    update(action) {
      if (!("content" in action)) return action;
      const { uid = "", resourceVersion } = action.content;
      return {
        ...action,
        content: { ...action.content, resourceVersion: versions.get(uid) ?? resourceVersion },
      };
    },
    watch: (writes) => ({
      ...writes,
      async patch(path, ref, change) {
        const answer = await writes.patch(path, ref, change);
        const { uid = "", resourceVersion } = metadataOf(answer);
        versions.set(uid, resourceVersion);
        return answer;
      },
    }),
  };
}
