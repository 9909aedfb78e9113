import { RESTORE_VOLUME_ANNOTATION, SELECTED_NODE_ANNOTATION } from "../kube/keys.ts";
import { valueOf } from "../kube/objects.ts";
import type { RetentionPolicy } from "../policy/schema.ts";
import { timeOf } from "../retention/time.ts";
import { decideBinding } from "./binding.ts";
import type { RestoreFacts } from "./facts.ts";
import { claimFor, contentFor, snapshotFor } from "./manifests.ts";
import type { Claim, Content, Snapshot } from "./objects.ts";
import { hasNoSource, obstacleTo } from "./obstacles.ts";
import type { RestoreSource } from "./source.ts";
import type { Step } from "./step.ts";

/** Velero gives up a claim that nobody uses after this time, too (its flag data-mover-prepare-timeout). */
const CONSUMER_MS = 30 * 60_000;
/** An error of the snapshot components may be one that they try again: a conflict, a time-out. */
const ERROR_MS = 10_000;
/** When a claim without a volume is worth asking after. */
const INQUIRE_MS = 3_000;

/** The next step of a restore, at `now` (milliseconds since 1970). Never throws. */
export function decideRestore(facts: RestoreFacts, policy: RetentionPolicy, now: number): Step {
  const { download } = facts;
  if (valueOf(download.metadata.annotations, RESTORE_VOLUME_ANNOTATION) !== undefined) {
    const why = hasNoSource(facts);
    return why === undefined ? decideBinding(facts) : { kind: "hand_back", reason: why };
  }
  if (download.spec.cancel === true || typeof download.metadata.deletionTimestamp === "string") {
    return { kind: "cancel" };
  }
  const reason = obstacleTo(facts, policy);
  if (reason !== undefined) {
    return { kind: "hand_back", reason };
  }
  return decideMaking(facts, policy, now);
}

function decideMaking(facts: RestoreFacts, policy: RetentionPolicy, now: number): Step {
  const { download, source, target } = facts;
  const startedAt = timeOf(download.status?.startTimestamp);
  if (source === undefined || target === undefined || typeof target.metadata.deletionTimestamp === "string") {
    return startedAt === undefined
      ? waitForClaim(facts, now)
      : { kind: "fail", message: "the claim was deleted while its volume was being made" };
  }
  if (startedAt === undefined) {
    return waitForConsumer(facts, now) ?? { kind: "accept" };
  }
  const giveUpAt = startedAt + policy.restore.readyWithin;
  if (now >= giveUpAt) {
    return { kind: "hand_back", reason: `there was no volume within ${policy.restore.readyWithin / 1000} s` };
  }
  return (
    exposing(facts, source) ??
    snapshotError(facts, startedAt, now) ??
    snapshotReadiness(facts, giveUpAt) ??
    provisioning(facts, target, { giveUpAt, now })
  );
}

/** Velero creates it a moment after the DataDownload; where it never comes, Velero's own mover says so. */
function waitForClaim({ download }: RestoreFacts, now: number): Step {
  const until = (timeOf(download.metadata.creationTimestamp) ?? now) + CONSUMER_MS;
  return now < until
    ? { kind: "wait", what: "Velero creates the claim", until }
    : { kind: "hand_back", reason: "the claim was not there for half an hour" };
}

/** A class that waits for its first consumer knows where to make a volume only when a Pod uses the claim. */
function waitForConsumer({ download, target, storageClass }: RestoreFacts, now: number): Step | undefined {
  const chosen = valueOf(target?.metadata.annotations, SELECTED_NODE_ANNOTATION) ?? "";
  if (storageClass?.volumeBindingMode !== "WaitForFirstConsumer" || chosen !== "") {
    return undefined;
  }
  const until = (timeOf(download.metadata.creationTimestamp) ?? now) + CONSUMER_MS;
  return now < until
    ? { kind: "wait", what: "a Pod uses the claim", until }
    : { kind: "hand_back", reason: "no Pod used the claim for half an hour" };
}

function exposing(facts: RestoreFacts, source: RestoreSource): Step | undefined {
  const objects = [
    ...(facts.content === undefined ? [contentFor(facts, source)] : []),
    ...(facts.snapshot === undefined ? [snapshotFor(facts, source)] : []),
  ];
  if (objects.length === 0) {
    return undefined;
  }
  const isFirst = facts.content === undefined && facts.retained !== undefined;
  return { kind: "expose", objects, ...(isFirst && { retained: facts.retained.metadata }) };
}

function snapshotError(
  { content, snapshot }: RestoreFacts,
  startedAt: number,
  now: number,
): Step | undefined {
  const message = messageOf(content) ?? messageOf(snapshot);
  if (message === undefined || snapshot?.status?.readyToUse === true) {
    return undefined;
  }
  const until = startedAt + ERROR_MS;
  return now < until
    ? { kind: "wait", what: "the snapshot components try again", until }
    : { kind: "hand_back", reason: `the snapshot cannot be used: ${message}` };
}

function messageOf(object: Pick<Content | Snapshot, "status"> | undefined): string | undefined {
  return object?.status?.error?.message ?? undefined;
}

function snapshotReadiness({ snapshot, content }: RestoreFacts, until: number): Step | undefined {
  const { readyToUse, boundVolumeSnapshotContentName: bound } = snapshot?.status ?? {};
  return readyToUse === true && bound === content?.metadata.name
    ? undefined
    : { kind: "wait", what: "the snapshot is ready", until };
}

function provisioning(
  facts: RestoreFacts,
  target: Claim,
  { giveUpAt, now }: { readonly giveUpAt: number; readonly now: number },
): Step {
  const { claim, volume } = facts;
  if (claim === undefined) {
    return { kind: "provision", claim: claimFor(facts, target) };
  }
  if (claim.status?.phase === "Lost") {
    return { kind: "hand_back", reason: "the volume that was made of the snapshot is lost" };
  }
  if (claim.status?.phase === "Bound" && volume !== undefined) {
    return { kind: "commit", volume: volume.metadata.name ?? "" };
  }
  const askAt = (timeOf(claim.metadata.creationTimestamp) ?? now) + INQUIRE_MS;
  return now < askAt
    ? { kind: "wait", what: "the storage makes a volume", until: Math.min(askAt, giveUpAt) }
    : { kind: "inquire", claim: claim.metadata };
}
