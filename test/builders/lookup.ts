import type { z } from "zod";
import { LookupFailed } from "../../src/admission/lookup.ts";
import type { KnownOriginal, Lookup } from "../../src/admission/lookup.ts";
import { toLabelValue } from "../../src/kube/label-value.ts";
import {
  Backup,
  DataUpload,
  PersistentVolume,
  PersistentVolumeClaim,
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
    originalByHandle: () => undefined,
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
