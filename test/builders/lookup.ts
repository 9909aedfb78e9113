import type * as z from "zod";
import { LookupFailed } from "../../src/admission/lookup.ts";
import type { KnownOriginal, Lookup } from "../../src/admission/lookup.ts";
import { ALIAS_LABEL } from "../../src/kube/keys.ts";
import { toLabelValue } from "../../src/kube/label-value.ts";
import {
  Backup,
  DataUpload,
  PersistentVolume,
  PersistentVolumeClaim,
  valueOf,
  VolumeSnapshot,
  VolumeSnapshotContent,
} from "../../src/kube/objects.ts";
import type { Metadata } from "../../src/kube/objects.ts";

/** What a cluster holds, as far as look-ups go. */
export interface Known {
  readonly volumeSnapshots?: readonly unknown[];
  readonly contents?: readonly unknown[];
  readonly dataUploads?: readonly unknown[];
  readonly backups?: readonly unknown[];
  readonly claims?: readonly unknown[];
  readonly volumes?: readonly unknown[];
  /** Originals by `source handle`. */
  readonly originals?: Readonly<Record<string, KnownOriginal>>;
  /** How many snapshots there are, by the volume's name. */
  readonly taken?: Readonly<Record<string, number>>;
}

/** A look-up over lists in memory: our own port, not Kubernetes. */
export function aLookup(known: Known = {}): Lookup {
  const snapshots = parseAll(VolumeSnapshot, known.volumeSnapshots);
  const contents = parseAll(VolumeSnapshotContent, known.contents);
  const uploads = parseAll(DataUpload, known.dataUploads);
  const backups = parseAll(Backup, known.backups);
  const claims = parseAll(PersistentVolumeClaim, known.claims);
  const volumes = parseAll(PersistentVolume, known.volumes);
  return {
    volumeSnapshot: async (namespace, name) => find(snapshots, namespace, name),
    volumeSnapshotContent: async (name) => find(contents, "", name),
    dataUpload: async (namespace, name) => find(uploads, namespace, name),
    backupByLabel: async (namespaces, label) =>
      backups.find(
        ({ metadata }) =>
          namespaces.includes(metadata.namespace ?? "") && toLabelValue(metadata.name ?? "") === label,
      ),
    persistentVolumeClaim: async (namespace, name) => find(claims, namespace, name),
    persistentVolume: async (name) => find(volumes, "", name),
    dataUploadByAlias: (namespaces, alias) =>
      uploads.find(
        ({ metadata }) =>
          namespaces.includes(metadata.namespace ?? "") && valueOf(metadata.labels, ALIAS_LABEL) === alias,
      ),
    claimWithVolume: async (namespace, name) => {
      const claim = find(claims, namespace, name);
      return { claim, volume: find(volumes, "", claim?.spec?.volumeName ?? "") };
    },
    snapshotsOf: ({ volumeName }) => known.taken?.[volumeName] ?? 0,
    originalByHandle: (source, handle) => known.originals?.[`${source} ${handle}`],
  };
}

/** A look-up whose every question ends like this; an API server that does not answer, unless said otherwise. */
export function aFailingLookup(
  fail: () => Promise<undefined> = async () => {
    throw new LookupFailed("the API server answered 503");
  },
): Lookup {
  return {
    volumeSnapshot: fail,
    volumeSnapshotContent: fail,
    dataUpload: fail,
    backupByLabel: fail,
    persistentVolumeClaim: fail,
    persistentVolume: fail,
    claimWithVolume: async () => {
      await fail();
      return {};
    },
    dataUploadByAlias: () => undefined,
    originalByHandle: () => undefined,
    snapshotsOf: () => 0,
  };
}

function parseAll<T>(view: z.ZodType<T>, objects: readonly unknown[] | undefined): T[] {
  return (objects ?? []).map((object) => view.parse(object));
}

function find<T extends { metadata: Metadata }>(
  objects: readonly T[],
  namespace: string,
  name: string,
): T | undefined {
  return objects.find(({ metadata }) => (metadata.namespace ?? "") === namespace && metadata.name === name);
}
