import type { Inherited } from "../admission/inherited.ts";
import {
  ALIAS_LABEL,
  BACKUP_NAME_LABEL,
  EXCLUDE_FROM_BACKUP_LABEL,
  VOLUME_NAME_LABEL,
} from "../kube/keys.ts";
import { toLabelValue } from "../kube/label-value.ts";
import { valueOf } from "../kube/objects.ts";
import type { Decision, Entry } from "./entry.ts";
import { finalizersToHold, finalizersWithoutHold, isFreed, isHeldBack, successorName } from "./hold.ts";
import { isDeleting } from "./lifecycle.ts";
import { referenceTo } from "./objects.ts";
import type { VolumeSnapshotContent } from "./objects.ts";
import type { Action, LetGo } from "./plan.ts";
import { isRecorded, releasedAs, resultOf } from "./record.ts";
import type { Relations } from "./relations.ts";
import { documentFor, labelsFor, RETAINED } from "./retained-document.ts";
import { recreate, recreateAs } from "./recreate.ts";

/** What the actions for one snapshot depend on. */
export interface Deed {
  readonly entry: Entry;
  readonly decision: Decision;
  readonly relations: Relations;
  /** Whether it may be set to Retain: not where it would exceed what nobody may free. */
  readonly mayProtect: boolean;
}

/** Everything to be done but freeing, in the order in which it is to be done. */
export function keepingActions(deed: Deed): Action[] {
  const content = keptContent(deed);
  const actions =
    content === undefined
      ? [release(deed), recreate(deed.entry, deed.relations)]
      : [
          protect(deed, content),
          record(deed, content),
          label(deed, content),
          mark(deed, content),
          renew(deed, content),
        ];
  return [...actions, ...letGo(deed)].filter((action) => action !== undefined);
}

/** The content of a snapshot that is on its way to be retained, or is. */
function keptContent({ entry, decision }: Deed): VolumeSnapshotContent | undefined {
  const { course, snapshot } = entry;
  const isOurs =
    course.kind === "retained" || (course.kind === "in_flight" && entry.limits.number.number > 0);
  return isOurs && decision.kept && !isDeleting(snapshot) ? snapshot.content : undefined;
}

function isToBeProtected({ entry, mayProtect }: Deed, { spec }: VolumeSnapshotContent): boolean {
  return mayProtect && entry.course.stage === "copying" && spec.deletionPolicy !== "Retain";
}

function protect(deed: Deed, content: VolumeSnapshotContent): Action | undefined {
  if (!isToBeProtected(deed, content)) {
    return undefined;
  }
  return {
    kind: "protect",
    key: deed.entry.snapshot.name,
    message: "its snapshot is to be retained, and the webhook did not set the policy Retain",
    content: referenceTo(content.metadata),
    finalizers: finalizersToHold(content),
  };
}

function record(deed: Deed, content: VolumeSnapshotContent): Action | undefined {
  const { snapshot } = deed.entry;
  const { upload, volumeName } = snapshot.identity;
  if (upload === undefined || releasedAs(upload) !== undefined) {
    return undefined;
  }
  if (content.spec.deletionPolicy !== "Retain" && !isToBeProtected(deed, content)) {
    return undefined;
  }
  const { alias } = documentFor(snapshot, deed.relations);
  const { handle, volumeHandle } = snapshot;
  const facts = { alias, volumeName, handle, volumeHandle };
  if (isRecorded(upload, content, facts)) {
    return undefined;
  }
  return {
    kind: "record",
    key: snapshot.name,
    message: "what is needed to find the snapshot again belongs on its DataUpload",
    dataUpload: referenceTo(upload.metadata),
    retainedSnapshot: snapshot.name,
    result: resultOf(content, facts),
  };
}

function label(deed: Deed, content: VolumeSnapshotContent): Action | undefined {
  const { snapshot } = deed.entry;
  const document = documentFor(snapshot, deed.relations);
  const isNew = snapshot.identity.document === undefined;
  if (!isNew && isLabelled(content, document)) {
    return undefined;
  }
  return {
    kind: "label",
    key: snapshot.name,
    message: "it lacks labels that identify its snapshot",
    content: referenceTo(content.metadata),
    labels: labelsFor(document),
    document: isNew ? document : undefined,
  };
}

/** Whether it has all of `labelsFor`. */
function isLabelled({ metadata }: VolumeSnapshotContent, { alias, volumeName, backup }: Inherited): boolean {
  const { labels } = metadata;
  return (
    valueOf(labels, ALIAS_LABEL) === alias &&
    valueOf(labels, VOLUME_NAME_LABEL) === volumeName &&
    valueOf(labels, EXCLUDE_FROM_BACKUP_LABEL) === "true" &&
    (backup === undefined || valueOf(labels, BACKUP_NAME_LABEL) === toLabelValue(backup.name))
  );
}

function mark({ entry }: Deed, content: VolumeSnapshotContent): Action | undefined {
  const { course, snapshot } = entry;
  if (course.kind !== "retained" || !course.mark) {
    return undefined;
  }
  return {
    kind: "mark",
    key: snapshot.name,
    message: "its data was copied and its Backup ended well",
    content: referenceTo(content.metadata),
    labels: RETAINED,
  };
}

/**
 * Somebody deleted the object of a snapshot that stays: with a DataUpload that has it on record, it is let go and made again
 * under its name; without one, its successor has to be there first.
 */
function renew({ entry, relations }: Deed, content: VolumeSnapshotContent): Action | undefined {
  if (!isHeldBack(content)) {
    return undefined;
  }
  const { upload } = entry.snapshot.identity;
  return upload === undefined
    ? recreateAs(successorName(content), content, entry.snapshot, relations)
    : letGoOf(content, entry, false);
}

/** Those that only our finalizer keeps, and that nobody needs: freed, or made again under another name. */
function letGo({ entry, relations }: Deed): Action[] {
  const { content, driver, handle } = entry.snapshot;
  if (content === undefined) {
    return [];
  }
  const others = driver === undefined || handle === undefined ? [] : relations.contentsOf(driver, handle);
  return [
    ...(isFreed(content) ? [letGoOf(content, entry, false)] : []),
    ...others
      .filter((other) => isHeldBack(other) && successorName(other) === content.metadata.name)
      .map((other) => letGoOf(other, entry, true)),
  ];
}

function letGoOf(content: VolumeSnapshotContent, { snapshot }: Entry, forget: boolean): LetGo {
  return {
    kind: "letGo",
    key: snapshot.name,
    message: "it was deleted, and nothing is lost with its object",
    content: referenceTo(content.metadata),
    finalizers: finalizersWithoutHold(content),
    forget,
  };
}

/** Somebody else is freeing it: without a note of that it would be made again. */
function release({ entry, decision }: Deed): Action | undefined {
  const { snapshot, course } = entry;
  const { upload } = snapshot.identity;
  const isSomebodyElses = course.kind === "going" && course.reason === "being_deleted";
  if (!isSomebodyElses || decision.kept || upload === undefined || releasedAs(upload) !== undefined) {
    return undefined;
  }
  return {
    kind: "release",
    key: snapshot.name,
    message: "its content is being deleted with the policy Delete, not by us",
    dataUpload: referenceTo(upload.metadata),
    reason: course.reason,
  };
}
