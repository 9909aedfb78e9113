import * as z from "zod";
import { RESTORE_VOLUME_ANNOTATION, RESTORED_BY_LABEL } from "../kube/keys.ts";
import { ApiError } from "../kube/rest.ts";
import { referenceTo } from "../retention/objects.ts";
import { formatTime } from "../retention/time.ts";
import type { DataDownload, Metadata } from "../kube/objects.ts";
import { handBackOf } from "../restore/hand-back.ts";
import { ClaimEvent } from "../restore/objects.ts";
import { failureIn } from "../restore/provisioning.ts";
import type { NewObject, Step } from "../restore/step.ts";
import type { Reads } from "./restore-reads.ts";
import { applyVolumeStep, isVolumeStep } from "./restore-volumes.ts";
import type { VolumeStep } from "./restore-volumes.ts";
import { contentPath, dataDownloadPath } from "./writes.ts";
import type { Change, Writes } from "./writes.ts";

/** What a step is done with. */
export interface StepOptions {
  readonly reads: Reads;
  readonly writes: Writes;
  /** Milliseconds since 1970. */
  readonly now: () => number;
}

/** A step that asks for a write. */
export type Doing = Exclude<Step, { readonly kind: "wait" }>;

/**
 * Does one step for a DataDownload. Each write names the version that was decided about, so that whoever was faster is
 * not undone. Resolves with the reason where the step came to hand the DataDownload back.
 */
export async function applyStep(
  step: Doing,
  download: DataDownload,
  options: StepOptions,
): Promise<string | undefined> {
  const { writes } = options;
  if (isVolumeStep(step)) {
    return moveVolume(step, download, writes);
  }
  switch (step.kind) {
    case "accept":
    case "commit":
    case "complete":
    case "cancel":
    case "fail":
      await patchDownload(download, downloadChange(step, options.now()), writes);
      return undefined;
    case "hand_back":
      return handBack(step.reason, download, writes);
    case "expose":
      if (step.retained !== undefined) await markRetained(step.retained, download, writes);
      return createAll(step.objects, download, writes);
    case "provision":
      return createAll([step.claim], download, writes);
    case "inquire":
      return inquire(step.claim, download, options);
  }
}

/** Until the volume is bound, the target is as it was: where a write is refused, Velero can still take over. */
async function moveVolume(
  step: VolumeStep,
  download: DataDownload,
  writes: Writes,
): Promise<string | undefined> {
  try {
    await applyVolumeStep(step, download, writes);
    return undefined;
  } catch (error) {
    if (!isRefusal(error) || step.kind === "bind" || step.kind === "unhold") throw error;
    return handBack(`the volume could not be given to the claim: ${error.message}`, download, writes);
  }
}

async function patchDownload({ metadata }: DataDownload, change: Change, writes: Writes): Promise<void> {
  const { namespace = "", name = "" } = metadata;
  await writes.patch(dataDownloadPath({ namespace, name }), referenceTo(metadata), change);
}

type DownloadStep = Extract<Step, { readonly kind: "accept" | "commit" | "complete" | "cancel" | "fail" }>;

function downloadChange(step: DownloadStep, now: number): Change {
  const time = formatTime(now);
  switch (step.kind) {
    case "accept":
      return { status: { phase: "InProgress", startTimestamp: time } };
    case "commit":
      return { metadata: { annotations: { [RESTORE_VOLUME_ANNOTATION]: step.volume } } };
    case "complete": {
      const progress = { totalBytes: step.bytes, bytesDone: step.bytes };
      return { status: { phase: "Completed", completionTimestamp: time, progress } };
    }
    case "cancel":
      return { status: { phase: "Canceled", completionTimestamp: time } };
    case "fail":
      return { status: { phase: "Failed", completionTimestamp: time, message: step.message } };
  }
}

async function handBack(reason: string, download: DataDownload, writes: Writes): Promise<string> {
  await patchDownload(download, handBackOf(reason), writes);
  return reason;
}

async function markRetained(retained: Metadata, download: DataDownload, writes: Writes): Promise<void> {
  const labels = { [RESTORED_BY_LABEL]: download.metadata.uid };
  await writes.patch(contentPath(retained.name), referenceTo(retained), { metadata: { labels } });
}

async function createAll(
  objects: readonly NewObject[],
  download: DataDownload,
  writes: Writes,
): Promise<string | undefined> {
  for (const { resource, manifest } of objects) {
    try {
      await writes.create(collectionPath(resource, download), manifest);
    } catch (error) {
      if (!isRefusal(error)) throw error;
      return handBack(`${resource} were refused: ${error.message}`, download, writes);
    }
  }
  return undefined;
}

/** A quota, a policy, a missing right: asking again changes nothing. */
function isRefusal(error: unknown): error is ApiError {
  return error instanceof ApiError && [400, 403, 422].includes(error.status);
}

function collectionPath(resource: NewObject["resource"], { metadata }: DataDownload): string {
  const namespace = encodeURIComponent(metadata.namespace ?? "");
  switch (resource) {
    case "volumesnapshotcontents":
      return contentPath();
    case "volumesnapshots":
      return `/apis/snapshot.storage.k8s.io/v1/namespaces/${namespace}/volumesnapshots`;
    case "persistentvolumeclaims":
      return `/api/v1/namespaces/${namespace}/persistentvolumeclaims`;
  }
}

const Events = z.object({ items: z.array(ClaimEvent).nullish() });

async function inquire(
  { uid = "", namespace = "" }: Metadata,
  download: DataDownload,
  { reads, writes }: StepOptions,
): Promise<string | undefined> {
  const selector = encodeURIComponent(`involvedObject.uid=${uid}`);
  const path = `/api/v1/namespaces/${encodeURIComponent(namespace)}/events?fieldSelector=${selector}`;
  const failure = failureIn((await reads.get(path, Events))?.items ?? []);
  return failure === undefined
    ? undefined
    : handBack(`the storage made no volume of the snapshot: ${failure}`, download, writes);
}
