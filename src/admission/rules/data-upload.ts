import { INHERITED_ANNOTATION, VELERO_BACKUP_NAME_LABEL } from "../../kube/keys.ts";
import { isDataUpload } from "../../kube/object-checks.ts";
import { DataUpload, valueOf } from "../../kube/objects.ts";
import type {
  Backup,
  PersistentVolume,
  PersistentVolumeClaim,
  VolumeSnapshot,
  VolumeSnapshotContent,
} from "../../kube/objects.ts";
import { limitOf } from "../../policy/limit.ts";
import type { VolumeFacts } from "../../policy/limit.ts";
import { identityLabels, readInherited, writeInherited } from "../inherited.ts";
import type { Inherited } from "../inherited.ts";
import type { Lookup } from "../lookup.ts";
import { describeOriginal, volumeNameOf } from "../original.ts";
import { unchanged } from "../outcome.ts";
import type { Outcome } from "../outcome.ts";
import { protect, SNAPSHOT_KEYS } from "../protect.ts";
import { decisionAnnotations } from "../retain.ts";
import type { Request, Rule, Surroundings } from "../rule.ts";
import { volumeFactsOf } from "../volume-facts.ts";

/** What the decision about a DataUpload needs to know of other objects. */
export interface DataUploadRelated {
  readonly backup?: Backup | undefined;
  readonly snapshot?: VolumeSnapshot | undefined;
  readonly content?: VolumeSnapshotContent | undefined;
  readonly claim?: PersistentVolumeClaim | undefined;
  readonly volume?: PersistentVolume | undefined;
}

/**
 * A DataUpload gets the labels of its VolumeSnapshot, the document that its clones inherit from, and the decision
 * whether to retain, with its reason: it is the durable memory of all three.
 */
export const dataUploadRule: Rule<DataUpload, DataUploadRelated> = {
  schema: DataUpload,
  check: isDataUpload,
  gather,
  decide,
};

async function gather(request: Request<DataUpload>, lookup: Lookup): Promise<DataUploadRelated> {
  if (request.operation === "UPDATE") {
    return {};
  }
  const { spec, metadata } = request.object;
  const backupLabel = valueOf(metadata.labels, VELERO_BACKUP_NAME_LABEL) ?? "";
  const [backup, claim, snapshot] = await Promise.all([
    lookup.backupByLabel([request.namespace], backupLabel),
    lookup.persistentVolumeClaim(spec.sourceNamespace, spec.sourcePVC),
    spec.csiSnapshot
      ? lookup.volumeSnapshot(spec.sourceNamespace, spec.csiSnapshot.volumeSnapshot)
      : undefined,
  ]);
  const [content, volume] = await Promise.all([
    contentOf(snapshot, lookup),
    // Velero below 1.17 does not write the driver: then the volume itself tells.
    spec.csiSnapshot?.driver === undefined ? volumeOf(claim, lookup) : undefined,
  ]);
  return { backup, claim, snapshot, content, volume };
}

async function contentOf(
  snapshot: VolumeSnapshot | undefined,
  lookup: Lookup,
): Promise<VolumeSnapshotContent | undefined> {
  const name = snapshot?.status?.boundVolumeSnapshotContentName;
  return name === undefined ? undefined : lookup.volumeSnapshotContent(name);
}

async function volumeOf(
  claim: PersistentVolumeClaim | undefined,
  lookup: Lookup,
): Promise<PersistentVolume | undefined> {
  const name = claim?.spec?.volumeName;
  return name === undefined ? undefined : lookup.persistentVolume(name);
}

function decide(
  request: Request<DataUpload>,
  related: DataUploadRelated,
  surroundings: Surroundings,
): Outcome {
  if (typeof request.object.metadata.deletionTimestamp === "string") {
    return unchanged("being_deleted");
  }
  if (request.operation === "UPDATE") {
    return protect(request, SNAPSHOT_KEYS, surroundings.policyLocation);
  }
  if (!surroundings.policy.velero.namespaces.includes(request.namespace)) {
    return unchanged("not_velero_namespace");
  }
  const inherited = documentOf(request, related, surroundings);
  if (inherited === undefined) {
    const { sourceNamespace, sourcePVC } = request.object.spec;
    return unchanged(
      "identity_missing",
      `snapshot-retainer: PVC ${sourceNamespace}/${sourcePVC} was not found, so nothing is retained`,
    );
  }
  const limit = limitOf(surroundings.policy, factsOf(request.object, related));
  const retain = limit.number > 0;
  return {
    code: "decided",
    edits: {
      labels: identityLabels(inherited),
      annotations: {
        [INHERITED_ANNOTATION]: writeInherited(inherited, surroundings.signer),
        ...decisionAnnotations(limit),
      },
      ...(surroundings.hasRetainSnapshotField && retain ? { spec: { retainSnapshot: true } } : {}),
    },
    audit: { retain: String(retain), limit: String(limit.number), reason: limit.reason },
  };
}

/** The snapshot's own document; a new one where its VolumeSnapshot was made while no webhook answered. */
function documentOf(
  request: Request<DataUpload>,
  related: DataUploadRelated,
  { policy, signer, randomId }: Surroundings,
): Inherited | undefined {
  const { metadata, spec } = request.object;
  const volume = { namespace: spec.sourceNamespace, name: spec.sourcePVC };
  const original = readInherited(related.snapshot?.metadata, signer);
  const isOriginals = original?.volume.namespace === volume.namespace && original.volume.name === volume.name;
  if (original !== undefined && isOriginals) {
    return { ...original, ...snapshotOf(related) };
  }
  const volumeName = volumeNameOf(policy, volume, related.claim?.metadata.uid);
  if (volumeName === undefined) {
    return undefined;
  }
  const backup = { namespace: request.namespace, name: backupNameOf(request.object, related) };
  const labels = related.snapshot?.metadata.labels;
  const facts = { kind: "VolumeSnapshot", volume, volumeName, backup, labels, ...snapshotOf(related) };
  return describeOriginal(facts, readInherited(metadata, signer), randomId);
}

function backupNameOf(upload: DataUpload, { backup }: DataUploadRelated): string {
  const owner = upload.metadata.ownerReferences?.find((reference) => reference.kind === "Backup");
  return (
    owner?.name ?? backup?.metadata.name ?? valueOf(upload.metadata.labels, VELERO_BACKUP_NAME_LABEL) ?? ""
  );
}

function snapshotOf({ content }: DataUploadRelated): Pick<Inherited, "snapshot"> {
  if (content === undefined) {
    return {};
  }
  const { driver, source } = content.spec;
  const handle = content.status?.snapshotHandle;
  const { volumeHandle } = source;
  return {
    snapshot: {
      driver,
      ...(handle === undefined ? {} : { handle }),
      ...(volumeHandle === undefined ? {} : { volumeHandle }),
    },
  };
}

function factsOf(upload: DataUpload, related: DataUploadRelated): VolumeFacts {
  const { spec } = upload;
  return volumeFactsOf({
    namespace: spec.sourceNamespace,
    backup: related.backup,
    claim: related.claim,
    driver: driverOf(upload, related),
    storageClass: spec.csiSnapshot?.storageClass,
  });
}

function driverOf(upload: DataUpload, { content, volume }: DataUploadRelated): string | undefined {
  return upload.spec.csiSnapshot?.driver ?? content?.spec.driver ?? volume?.spec?.csi?.driver;
}
