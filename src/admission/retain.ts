import {
  EXCLUDE_FROM_BACKUP_LABEL,
  GROUP_HANDLE_ANNOTATION,
  HOLD_FINALIZER,
  LIMIT_REASON_ANNOTATION,
  RETAIN_ANNOTATION,
  VOLUME_LIMIT_ANNOTATION,
} from "../kube/keys.ts";
import { valueOf } from "../kube/objects.ts";
import type { DataDownload, DataUpload, VolumeSnapshotContent } from "../kube/objects.ts";
import type { Limit } from "../policy/limit.ts";
import type { Code } from "./outcome.ts";
import type { Edits } from "./patch.ts";
import type { Surroundings } from "./rule.ts";

/** What becomes of a clone's deletion policy, and why. */
export interface RetainDecision {
  readonly code: Extract<Code, "inherited" | "retain_set" | "retain_refused">;
  readonly edits?: Edits;
  /** In words; empty where nobody wanted the snapshot retained. */
  readonly reason: string;
}

const NOT_WANTED: RetainDecision = { code: "inherited", reason: "" };

/** No DataUpload leaves one of these (velero data_upload_controller.go, isDataUploadInFinalState). */
const FINAL: readonly string[] = ["Completed", "Failed", "Canceled"];

/**
 * Whether the content that a data mover works from outlives the data movement. Velero's exposer gives it the policy
 * Delete and never looks at it again; with Retain it is ours to delete, so each condition is one of being able to. A newer
 * Velero deletes the object when it is done with it: held, it waits for the controller, which makes it again or frees it.
 */
export function decideRetain(
  content: VolumeSnapshotContent,
  upload: DataUpload | undefined,
  { policy, controllerAlive }: Pick<Surroundings, "policy" | "controllerAlive">,
): RetainDecision {
  if (upload === undefined || !isWanted(upload)) {
    return NOT_WANTED;
  }
  if (policy.mode === "paused") {
    return refused("the policy is paused, and what is retained now could not be freed");
  }
  if (valueOf(content.metadata.annotations, GROUP_HANDLE_ANNOTATION) !== undefined) {
    return refused("it was taken with a VolumeGroupSnapshot, and storage is freed for such a group alone");
  }
  const phase = upload.status?.phase ?? "";
  if (FINAL.includes(phase)) {
    return refused(`the DataUpload is ${phase} already`);
  }
  if (!controllerAlive) {
    return refused("no retention controller is running that could free it");
  }
  return {
    code: "retain_set",
    edits: {
      labels: { [EXCLUDE_FROM_BACKUP_LABEL]: "true" },
      spec: { deletionPolicy: "Retain" },
      finalizers: [HOLD_FINALIZER],
    },
    reason: `DataUpload ${upload.metadata.name ?? ""} wants it retained`,
  };
}

/** The decision that was written when the DataUpload was made; one made while no webhook answered has none. */
function isWanted({ metadata }: DataUpload): boolean {
  const limit = Number(valueOf(metadata.annotations, VOLUME_LIMIT_ANNOTATION));
  return valueOf(metadata.annotations, RETAIN_ANNOTATION) === "true" && limit > 0;
}

function refused(reason: string): RetainDecision {
  return { code: "retain_refused", reason };
}

/**
 * Whether another data mover than Velero's own handles a DataUpload, whose clones it names as it likes, or a DataDownload
 * (velero pkg/datamover/util.go).
 */
export function hasOtherMover({ spec }: Pick<DataUpload | DataDownload, "spec">): boolean {
  return spec.datamover !== undefined && spec.datamover !== "" && spec.datamover !== "velero";
}

/** What says on a DataUpload whether its snapshot is to be retained, and why. */
export function decisionAnnotations(limit: Limit): Record<string, string> {
  return {
    [RETAIN_ANNOTATION]: String(limit.number > 0),
    [VOLUME_LIMIT_ANNOTATION]: String(limit.number),
    [LIMIT_REASON_ANNOTATION]: limit.reason,
  };
}
