import type * as z from "zod";
import { readInherited } from "../admission/inherited.ts";
import { textAt } from "../admission/json-pointer.ts";
import type { KnownOriginal, Lookup } from "../admission/lookup.ts";
import type { Signer } from "../admission/signer.ts";
import { ALIAS_LABEL } from "../kube/keys.ts";
import { toLabelValue } from "../kube/label-value.ts";
import {
  AnyObject,
  Backup,
  DataUpload,
  PersistentVolume,
  PersistentVolumeClaim,
  valueOf,
  VolumeSnapshot,
  VolumeSnapshotContent,
} from "../kube/objects.ts";
import type { Metadata } from "../kube/objects.ts";
import { createTakenSnapshots } from "../kube/taken-snapshots.ts";
import type { RetentionPolicy } from "../policy/schema.ts";
import type { KubernetesObject } from "./documents.ts";

/** The objects that were reviewed so far, as they are after admission: what a cluster would hold. */
export interface World extends Lookup {
  put(object: KubernetesObject): void;
  find(object: KubernetesObject): KubernetesObject | undefined;
}

/** An empty world; look-ups find what was put before. */
export function createWorld(policy: RetentionPolicy, signer: Signer): World {
  const objects = new Map<string, KubernetesObject>();
  function get<T>(view: z.ZodType<T>, ...[kind, namespace, name]: readonly string[]): T | undefined {
    return view.safeParse(objects.get(`${kind}/${namespace}/${name}`)).data;
  }
  const taken = createTakenSnapshots(signer);
  return {
    put(object) {
      taken.update(metadataOf(object), metadataOf(objects.get(keyOf(object))));
      objects.set(keyOf(object), object);
    },
    find: (object) => objects.get(keyOf(object)),
    volumeSnapshot: async (namespace, name) => get(VolumeSnapshot, "VolumeSnapshot", namespace, name),
    volumeSnapshotContent: async (name) => get(VolumeSnapshotContent, "VolumeSnapshotContent", "", name),
    dataUpload: async (namespace, name) => get(DataUpload, "DataUpload", namespace, name),
    backupByLabel: async (namespaces, label) =>
      [...objects.values()]
        .filter((object) => object.kind === "Backup" && toLabelValue(object.metadata.name ?? "") === label)
        .map((object) => Backup.safeParse(object).data)
        .find((backup) => namespaces.includes(backup?.metadata.namespace ?? "")),
    persistentVolumeClaim: async (namespace, name) =>
      get(PersistentVolumeClaim, "PersistentVolumeClaim", namespace, name),
    persistentVolume: async (name) => get(PersistentVolume, "PersistentVolume", "", name),
    claimWithVolume: async (namespace, name) => {
      const claim = get(PersistentVolumeClaim, "PersistentVolumeClaim", namespace, name);
      return {
        claim,
        volume: get(PersistentVolume, "PersistentVolume", "", claim?.spec?.volumeName ?? ""),
      };
    },
    dataUploadByAlias: (namespaces, alias) =>
      [...objects.values()]
        .map((object) => (object.kind === "DataUpload" ? DataUpload.safeParse(object).data : undefined))
        .find(
          (upload) =>
            namespaces.includes(upload?.metadata.namespace ?? "") &&
            valueOf(upload?.metadata.labels, ALIAS_LABEL) === alias,
        ),
    snapshotsOf: (volume) => taken.count(volume),
    originalByHandle: (source, handle) => {
      const held = [...objects.values()].find((object) => isSnapshot(object, policy, source, handle));
      return held === undefined ? undefined : originalOf(held, signer);
    },
  };
}

/** Manifests have no UID. */
function metadataOf(object: KubernetesObject | undefined): Metadata | undefined {
  const metadata = AnyObject.safeParse(object).data?.metadata;
  return object && metadata && { ...metadata, uid: keyOf(object) };
}

function keyOf({ kind, metadata }: KubernetesObject): string {
  return `${kind}/${metadata.namespace ?? ""}/${metadata.name ?? metadata.generateName ?? ""}`;
}

function isSnapshot(
  object: KubernetesObject,
  policy: RetentionPolicy,
  source: string,
  handle: string,
): boolean {
  const content =
    object.kind === "VolumeSnapshotContent" ? VolumeSnapshotContent.safeParse(object).data : undefined;
  if (content !== undefined) {
    return (
      content.spec.driver === source &&
      (content.spec.source.snapshotHandle ?? content.status?.snapshotHandle) === handle
    );
  }
  const entry = policy.snapshotAssociatedObjects.find(({ name }) => name === source);
  return entry !== undefined && textAt(object, entry.snapshotHandle) === handle;
}

function originalOf(object: KubernetesObject, signer: Signer): KnownOriginal | undefined {
  const metadata = AnyObject.safeParse(object).data?.metadata;
  const inherited = readInherited(metadata, signer);
  return inherited === undefined ? undefined : { inherited, labels: metadata?.labels ?? {} };
}
