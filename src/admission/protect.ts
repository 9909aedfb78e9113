import { RESERVED_ANNOTATIONS, RESERVED_LABELS } from "../kube/keys.ts";
import { valueOf } from "../kube/objects.ts";
import type { AnyObject, StringMap } from "../kube/objects.ts";
import { unchanged } from "./outcome.ts";
import type { Outcome } from "./outcome.ts";
import type { Edits } from "./patch.ts";
import type { Request } from "./rule.ts";

/** Keys that others may not touch. */
export interface ProtectedKeys {
  readonly labels: readonly string[];
  readonly annotations: readonly string[];
}

/** The reserved keys of a snapshot's objects: VolumeSnapshot, VolumeSnapshotContent, DataUpload, any SAO. */
export const SNAPSHOT_KEYS: ProtectedKeys = { labels: RESERVED_LABELS, annotations: RESERVED_ANNOTATIONS };

/**
 * On UPDATE: whatever anyone but Velero or ourselves changed of the protected keys is put back to what it was,
 * and what they added is removed.
 */
export function protect(request: Request<AnyObject>, keys: ProtectedKeys, policyLocation: string): Outcome {
  const before = request.oldObject?.metadata;
  const now = request.object.metadata;
  const labels = putBack(keys.labels, before?.labels, now.labels);
  const annotations = putBack(keys.annotations, before?.annotations, now.annotations);
  const changed = [...labels, ...annotations];
  if (changed.length === 0) {
    return unchanged("already_set");
  }
  if (request.account === "velero" || request.account === "own") {
    return unchanged("allowed_change");
  }
  const names = changed.map(([key]) => key).join(", ");
  const added = changed.every(([, value]) => value === undefined);
  const did = added ? "removed again" : "put back";
  const message = `snapshot-retainer: ${names} ${did}: only Velero and snapshot-retainer may change it (policy: ${policyLocation})`;
  return {
    code: added ? "forged_removed" : "put_back",
    edits: { labels: Object.fromEntries(labels), annotations: Object.fromEntries(annotations) },
    warnings: [message],
    notices: [{ type: "Warning", reason: added ? "ForgedRemoved" : "PutBack", message }],
  };
}

/** On CREATE by somebody who may not set them: the reserved keys that the object carries are removed. */
export function removeForged(request: Request<AnyObject>, policyLocation: string): Outcome | undefined {
  const { labels, annotations } = request.object.metadata;
  const edits: Edits = {
    labels: removals(SNAPSHOT_KEYS.labels, labels),
    annotations: removals(SNAPSHOT_KEYS.annotations, annotations),
  };
  const names = [...Object.keys(edits.labels ?? {}), ...Object.keys(edits.annotations ?? {})];
  if (names.length === 0) {
    return undefined;
  }
  const message = `snapshot-retainer: ${names.join(", ")} removed: only Velero and snapshot-retainer may set it (policy: ${policyLocation})`;
  return {
    code: "forged_removed",
    edits,
    warnings: [message],
    notices: [{ type: "Warning", reason: "ForgedRemoved", message }],
  };
}

function putBack(
  keys: readonly string[],
  before: StringMap | null | undefined,
  now: StringMap | null | undefined,
): [string, string | undefined][] {
  return keys
    .filter((key) => valueOf(before, key) !== valueOf(now, key))
    .map((key) => [key, valueOf(before, key)]);
}

function removals(keys: readonly string[], map: StringMap | null | undefined): Record<string, undefined> {
  return Object.fromEntries(
    keys.filter((key) => valueOf(map, key) !== undefined).map((key) => [key, undefined]),
  );
}
