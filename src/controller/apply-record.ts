import * as z from "zod";
import { RETAINED_SNAPSHOT_ANNOTATION } from "../kube/keys.ts";
import type { Record } from "../retention/plan.ts";
import { dataUploadPath } from "./writes.ts";
import type { Writes } from "./writes.ts";

const Answer = z.object({ status: z.object({ retainedSnapshot: z.string().nullish() }).nullish() });

/** Writes records onto DataUploads. */
export interface Recorder {
  record(action: Record, writes: Writes): Promise<void>;
}

/**
 * A recorder that finds out by itself whether the served DataUpload has `status.retainedSnapshot` (Velero's design, PR
 * 7002; in no release so far): what the API server does not know it drops, which its answer shows.
 */
export function createRecorder(): Recorder {
  let isServed = false;
  return {
    async record({ dataUpload, retainedSnapshot, result }, writes) {
      // Velero writes to it at any time, so no version is asked for. Other keys of dataMoverResult stay.
      const ref = { ...dataUpload, resourceVersion: undefined };
      const path = `${dataUploadPath(dataUpload)}?fieldValidation=Ignore`;
      const inAnnotation = {
        metadata: { annotations: { [RETAINED_SNAPSHOT_ANNOTATION]: retainedSnapshot } },
      };
      const answer = await writes.patch(path, ref, {
        ...(!isServed && inAnnotation),
        status: { retainedSnapshot, dataMoverResult: result },
      });
      const wasServed = isServed;
      isServed = Answer.parse(answer).status?.retainedSnapshot === retainedSnapshot;
      if (wasServed && !isServed) {
        await writes.patch(path, ref, inAnnotation);
      }
    },
  };
}
