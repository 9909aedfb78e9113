import type { Inherited } from "../admission/inherited.ts";
import { toLabelValue } from "../kube/label-value.ts";
import { handleKey } from "../kube/originals.ts";
import type { Metadata } from "../kube/objects.ts";
import type {
  Backup,
  BackupStorageLocation,
  DataUpload,
  PersistentVolume,
  PersistentVolumeClaim,
  VolumeSnapshot,
  VolumeSnapshotContent,
} from "./objects.ts";
import type { NamespacedName } from "./plan.ts";
import { movedSnapshotOf } from "./record.ts";
import type { World } from "./world.ts";

/** A world, indexed once: each question is one look into a map. */
export interface Relations {
  readonly world: World;
  document(metadata: Metadata): Inherited | undefined;
  upload(namespace: string, name: string): DataUpload | undefined;
  uploadByAlias(alias: string): DataUpload | undefined;
  uploadByHandle(driver: string, handle: string): DataUpload | undefined;
  /** By its name, or by its name as a label value. */
  backup(reference: NamespacedName): Backup | undefined;
  /** Whether a DeleteBackupRequest for it is in progress. */
  isBeingDeleted(reference: NamespacedName): boolean;
  /** When this Backup was last seen being deleted. */
  deletionOf(reference: NamespacedName): number | undefined;
  storageLocations(namespace: string): readonly BackupStorageLocation[];
  snapshot(namespace: string, name: string): VolumeSnapshot | undefined;
  content(name: string): VolumeSnapshotContent | undefined;
  contentsOf(driver: string, handle: string): readonly VolumeSnapshotContent[];
  claim(namespace: string, name: string): PersistentVolumeClaim | undefined;
  volume(name: string): PersistentVolume | undefined;
}

/** The handle that a content stands for, once it is known. */
export function handleOf(content: VolumeSnapshotContent): string | undefined {
  return content.spec.source.snapshotHandle ?? content.status?.snapshotHandle ?? undefined;
}

/** Indexes a world. */
export function relate(world: World): Relations {
  const uploads = byName(world.dataUploads);
  const { aliases, handles } = indexUploads(world);
  const backups = new Map(world.backups.map((backup) => [labelKey(referenceOf(backup.metadata)), backup]));
  const deletions = indexDeletions(world);
  const requested = new Set(
    world.deleteBackupRequests
      .filter(({ status }) => status?.phase === "InProgress")
      .map(({ metadata, spec }) => labelKey({ namespace: metadata.namespace ?? "", name: spec.backupName })),
  );
  const locations = Map.groupBy(world.storageLocations, ({ metadata }) => metadata.namespace ?? "");
  const snapshots = byName(world.snapshots);
  const contents = byName(world.contents);
  const contentsByHandle = Map.groupBy(world.contents, (content) =>
    handleKey(content.spec.driver, handleOf(content) ?? ""),
  );
  const claims = byName(world.claims);
  const volumes = byName(world.volumes);
  return {
    world,
    document: world.documents,
    upload: (namespace, name) => uploads.get(`${namespace}/${name}`),
    uploadByAlias: (alias) => aliases.get(alias),
    uploadByHandle: (driver, handle) => handles.get(handleKey(driver, handle)),
    backup: (reference) => backups.get(labelKey(reference)),
    isBeingDeleted: (reference) => requested.has(labelKey(reference)),
    deletionOf: (reference) => deletions.get(labelKey(reference)),
    storageLocations: (namespace) => locations.get(namespace) ?? [],
    snapshot: (namespace, name) => snapshots.get(`${namespace}/${name}`),
    content: (name) => contents.get(`/${name}`),
    contentsOf: (driver, handle) => contentsByHandle.get(handleKey(driver, handle)) ?? [],
    claim: (namespace, name) => claims.get(`${namespace}/${name}`),
    volume: (name) => volumes.get(`/${name}`),
  };
}

/** A Backup is found by its name as a label value: where only a label named it, a long name is shortened. */
function labelKey({ namespace, name }: NamespacedName): string {
  return `${namespace}/${toLabelValue(name)}`;
}

function referenceOf({ namespace = "", name = "" }: Metadata): NamespacedName {
  return { namespace, name };
}

function byName<T extends { readonly metadata: Metadata }>(objects: readonly T[]): Map<string, T> {
  return new Map(
    objects.map((object) => [`${object.metadata.namespace ?? ""}/${object.metadata.name ?? ""}`, object]),
  );
}

function indexUploads(world: World): {
  aliases: ReadonlyMap<string, DataUpload>;
  handles: ReadonlyMap<string, DataUpload>;
} {
  const aliases = new Map<string, DataUpload>();
  const handles = new Map<string, DataUpload>();
  for (const upload of world.dataUploads) {
    const document = world.documents(upload.metadata);
    if (document !== undefined) {
      aliases.set(document.alias, upload);
    }
    const { driver, handle } = movedSnapshotOf(upload, document);
    if (handle !== undefined && driver !== undefined) {
      handles.set(handleKey(driver, handle), upload);
    }
  }
  return { aliases, handles };
}

function indexDeletions(world: World): ReadonlyMap<string, number> {
  return new Map(
    [...world.deletions].map(([key, at]) => {
      const [namespace = "", name = ""] = key.split("/");
      return [labelKey({ namespace, name }), at];
    }),
  );
}
