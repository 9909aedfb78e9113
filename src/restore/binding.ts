import { DATA_DOWNLOAD_LABEL, RECLAIM_POLICY_ANNOTATION } from "../kube/keys.ts";
import { valueOf } from "../kube/objects.ts";
import type { RestoreFacts } from "./facts.ts";
import { restoreName } from "./names.ts";
import type { Claim, Volume } from "./objects.ts";
import type { Step } from "./step.ts";

const DELETED = "the claim was deleted while its volume was being bound";

/**
 * How the volume comes to the target: kept, taken from the claim it was made for, reserved for the target, bound. First the
 * volume and then the claim, which takes a second; the other order, Velero's own, takes up to ten.
 */
export function decideBinding(facts: RestoreFacts): Step {
  const { download, target } = facts;
  const volume = ownVolume(facts);
  const isUnwanted = download.spec.cancel === true || typeof download.metadata.deletionTimestamp === "string";
  // One that is being deleted goes as soon as no claim holds it: it must not come to the target.
  if (volume === undefined || isGoing(volume, target)) {
    return isUnwanted ? { kind: "cancel" } : withoutVolume(target);
  }
  if (target !== undefined && isBoundTo(target, volume)) {
    return finish(facts, volume);
  }
  // What is reserved is bound within a second, by Kubernetes itself: it is not taken back then.
  if (isUnwanted && !(target !== undefined && isReservedFor(target, volume))) {
    return { kind: "cancel" };
  }
  return rebindUnlessUnfit(facts, volume);
}

function rebindUnlessUnfit(facts: RestoreFacts, volume: Volume): Step {
  const { target } = facts;
  const misfit = misfitOf(target, volume);
  return target === undefined || misfit !== undefined
    ? { kind: "fail", message: misfit ?? DELETED }
    : rebind(facts, target, volume);
}

/** The volume that the DataDownload names, if it was made for it: anybody's name may stand there. */
function ownVolume({ download, target, volume }: RestoreFacts): Volume | undefined {
  const { uid = "", namespace } = download.metadata;
  const { namespace: holderNamespace, name, uid: holder } = volume?.spec.claimRef ?? {};
  const isMade = holderNamespace === namespace && name === restoreName(uid);
  const isGiven = target !== undefined && holder === target.metadata.uid;
  return isMade || isGiven || isHeldFor(volume, uid) ? volume : undefined;
}

function isHeldFor(volume: Volume | undefined, uid: string): boolean {
  return valueOf(volume?.metadata.labels, DATA_DOWNLOAD_LABEL) === uid;
}

/** Without a claim, there is nothing for Velero to move data to, either. */
function withoutVolume(target: Claim | undefined): Step {
  return target === undefined
    ? { kind: "fail", message: DELETED }
    : { kind: "hand_back", reason: "the volume that was made of the snapshot is gone" };
}

function isGoing({ metadata }: Volume, target: Claim | undefined): boolean {
  return typeof metadata.deletionTimestamp === "string" && target?.spec.volumeName !== metadata.name;
}

/** Why a claim cannot have the volume any more. */
function misfitOf(target: Claim | undefined, volume: Volume): string | undefined {
  if (target === undefined || typeof target.metadata.deletionTimestamp === "string") {
    return DELETED;
  }
  const other = target.spec.volumeName ?? "";
  return other === "" || other === volume.metadata.name
    ? undefined
    : `the claim was bound to ${other} meanwhile`;
}

function isBoundTo({ metadata, spec, status }: Claim, volume: Volume): boolean {
  return (
    status?.phase === "Bound" &&
    spec.volumeName === volume.metadata.name &&
    isReservedFor({ metadata }, volume)
  );
}

function isReservedFor({ metadata }: Pick<Claim, "metadata">, { spec }: Volume): boolean {
  return spec.claimRef?.uid === metadata.uid;
}

function finish({ download, content }: RestoreFacts, volume: Volume): Step {
  const reclaimPolicy = valueOf(volume.metadata.annotations, RECLAIM_POLICY_ANNOTATION);
  return isHeld(volume) && reclaimPolicy !== undefined
    ? { kind: "unhold", volume: volume.metadata, reclaimPolicy }
    : { kind: "complete", bytes: content?.status?.restoreSize ?? download.spec.snapshotSize ?? 0 };
}

/** Whether a volume is kept for a restore. */
export function isHeld({ metadata }: Volume): boolean {
  return valueOf(metadata.labels, DATA_DOWNLOAD_LABEL) !== undefined;
}

function rebind({ claim }: RestoreFacts, target: Claim, volume: Volume): Step {
  const { metadata, spec } = volume;
  if (!isHeld(volume)) {
    return { kind: "hold", volume: metadata, reclaimPolicy: spec.persistentVolumeReclaimPolicy };
  }
  if (claim !== undefined) {
    return typeof claim.metadata.deletionTimestamp === "string"
      ? { kind: "wait", what: "the claim that the volume was made for goes" }
      : { kind: "detach", claim: claim.metadata };
  }
  if (!isReservedFor(target, volume)) {
    const labels = target.spec.selector?.matchLabels ?? {};
    return { kind: "reserve", volume: metadata, target: target.metadata, labels };
  }
  return target.spec.volumeName === metadata.name
    ? { kind: "wait", what: "Kubernetes binds the claim" }
    : { kind: "bind", target: target.metadata, volume: metadata.name ?? "" };
}
