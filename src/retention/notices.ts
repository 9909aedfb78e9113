import { timeOf } from "./time.ts";
import type { Entry } from "./entry.ts";
import { isHeldBack } from "./hold.ts";
import { identifyClone, isRetained } from "./identify.ts";
import type { VolumeSnapshotContent } from "./objects.ts";
import type { Relations } from "./relations.ts";
import type { RetentionPolicy } from "../policy/schema.ts";
import { MOVER_GRACE_MS } from "./lifecycle.ts";
import type { Metadata } from "../kube/objects.ts";
import type { NoticeReason, PlanNotice } from "./plan.ts";
import { isPinned } from "./protections.ts";
import { isReady } from "./age.ts";

/** How long a retained snapshot may be not ready, and a deletion take, before somebody should look at it. */
const PATIENCE_MS = 15 * 60 * 1000;

/** What notices are found in. */
export interface Noticed {
  readonly entries: readonly Entry[];
  /** Those that are no snapshot of ours for certain. */
  readonly contents: readonly VolumeSnapshotContent[];
  readonly relations: Relations;
  readonly policy: RetentionPolicy;
  readonly now: number;
}

/** What somebody should hear of. */
export function noticesOf(noticed: Noticed): PlanNotice[] {
  const byVolume = Map.groupBy(noticed.entries, ({ snapshot }) => snapshot.volumeKey);
  return [
    ...[...byVolume.values()].flatMap(volumeNotices),
    ...noticed.entries.flatMap((entry) => snapshotNotices(entry, noticed.now)),
    ...notBelieved(noticed),
  ].toSorted((a, b) => (a.key < b.key ? -1 : 1));
}

/** `entries`: newest first. */
function volumeNotices(entries: readonly Entry[]): PlanNotice[] {
  const newest = entries[0];
  if (newest === undefined) {
    return [];
  }
  const { number } = newest.limits;
  const { volumeName } = newest.snapshot.identity;
  const pinned = entries.filter(({ snapshot }) => isPinned(snapshot)).length;
  const notices: PlanNotice[] = [];
  if (number.number > 0 && pinned >= number.number) {
    const message = `${pinned} snapshots of volume ${volumeName} are pinned, and its number is ${number.number}: none of them can go for a new one; remove the label from one, or raise the number`;
    notices.push(about(newest, "PinnedFull", message));
  }
  if (number.uncertain && entries.some(({ course }) => course.kind === "retained")) {
    const message = `what chooses the number of volume ${volumeName} is not known (its PersistentVolumeClaim or its Backup is gone): ${number.reason}`;
    notices.push(about(newest, "NumberUnknown", message));
  }
  return notices;
}

function snapshotNotices(entry: Entry, now: number): PlanNotice[] {
  return [neverReady(entry, now), freeStuck(entry, now), leakSuspected(entry, now)].filter(
    (notice) => notice !== undefined,
  );
}

function neverReady(entry: Entry, now: number): PlanNotice | undefined {
  const { content, name } = entry.snapshot;
  if (
    entry.course.kind !== "retained" ||
    isReady(entry) ||
    !isLongAgo(content?.metadata.creationTimestamp, now)
  ) {
    return undefined;
  }
  const error = content?.status?.error?.message ?? "no error is reported";
  return about(entry, "NeverReady", `${name} is retained and not ready to use: ${error}`);
}

function freeStuck(entry: Entry, now: number): PlanNotice | undefined {
  const { content, name } = entry.snapshot;
  if (!isLongAgo(content?.metadata.deletionTimestamp, now)) {
    return undefined;
  }
  const error = content?.status?.error?.message ?? "see the Events of the CSI driver";
  return about(entry, "FreeStuck", `${name} is being deleted for long: ${error}`);
}

function isLongAgo(time: string | null | undefined, now: number): boolean {
  const at = timeOf(time);
  return at !== undefined && now - at > PATIENCE_MS;
}

function leakSuspected(entry: Entry, now: number): PlanNotice | undefined {
  const name = entry.snapshot.original?.metadata.name;
  return name !== undefined && isLeftOver(entry, now)
    ? about(
        entry,
        "LeakSuspected",
        `${name}, Velero's original, is still there an hour after its Backup ended`,
      )
    : undefined;
}

function isLeftOver({ backup }: Entry, now: number): boolean {
  const endedAt = "endedAt" in backup && backup.kind !== "in_progress" ? backup.endedAt : undefined;
  return endedAt !== undefined && now > endedAt + MOVER_GRACE_MS;
}

function notBelieved({ contents, relations, policy }: Noticed): PlanNotice[] {
  return contents
    .filter((content) => isRetained(content) || isHeldBack(content))
    .filter(({ spec }) => spec.source.volumeHandle === undefined)
    .filter((content) => identifyClone(content, relations, policy) === undefined)
    .map(({ metadata }) =>
      noticeOf(
        metadata,
        "NotBelieved",
        `${metadata.name ?? ""} is labelled as retained, or held back from its deletion, and neither a signed document nor a DataUpload says that it is ours: it is neither counted nor freed`,
      ),
    );
}

function about({ snapshot }: Entry, reason: NoticeReason, message: string): PlanNotice {
  const { content, original, originalSnapshot, vanished } = snapshot;
  const object = content ?? original ?? vanished;
  if (object !== undefined) {
    return noticeOf(object.metadata, reason, message);
  }
  return originalSnapshot === undefined
    ? noticeOf({ name: snapshot.name }, reason, message)
    : noticeOf(originalSnapshot.metadata, reason, message, "VolumeSnapshot");
}

function noticeOf(
  { namespace, name = "", uid }: Metadata,
  reason: NoticeReason,
  message: string,
  kind = "VolumeSnapshotContent",
): PlanNotice {
  return {
    key: `${reason} ${kind} ${namespace ?? ""}/${name}`,
    type: "Warning",
    reason,
    message,
    object: {
      apiVersion: "snapshot.storage.k8s.io/v1",
      kind,
      name,
      uid,
      ...(namespace === undefined ? {} : { namespace }),
    },
  };
}
