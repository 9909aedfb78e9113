import type { Inherited } from "../admission/inherited.ts";
import { hasOtherMover } from "../admission/retain.ts";
import { toLabelValue } from "../kube/label-value.ts";
import { handleKey } from "../kube/originals.ts";
import type { Metadata } from "../kube/objects.ts";
import type {
  Backup,
  BackupStorageLocation,
  DataUpload,
  DeleteBackupRequest,
  PersistentVolume,
  PersistentVolumeClaim,
  VolumeSnapshot,
  VolumeSnapshotContent,
} from "./objects.ts";
import type { NamespacedName } from "./plan.ts";
import { movedSnapshotOf } from "./record.ts";
import type { World } from "./world.ts";

/** Finds a world's objects by what names them. */
export interface Finder {
  content(name: string): VolumeSnapshotContent | undefined;
  /** All that stand for this snapshot; those whose handle is not known yet, for an empty one. */
  contentsOf(driver: string, handle: string): readonly VolumeSnapshotContent[];
  snapshot(namespace: string, name: string): VolumeSnapshot | undefined;
  upload(namespace: string, name: string): DataUpload | undefined;
  claim(namespace: string, name: string): PersistentVolumeClaim | undefined;
  volume(name: string): PersistentVolume | undefined;
}

/** A world, indexed once: each question is one look into a map. */
export interface Relations extends Finder {
  readonly world: World;
  document(metadata: Metadata): Inherited | undefined;
  uploadByAlias(alias: string): DataUpload | undefined;
  /** Those that move what was taken with this VolumeSnapshot. */
  uploadsOf(namespace: string, snapshot: string): readonly DataUpload[];
  /** One that another data mover than Velero's handles. */
  uploadByHandle(driver: string, handle: string): DataUpload | undefined;
  /** By its name, or by its name as a label value. */
  backup(reference: NamespacedName): Backup | undefined;
  /** Whether a DeleteBackupRequest for it is in progress. */
  isBeingDeleted(reference: NamespacedName): boolean;
  /** When this Backup was last seen being deleted. */
  deletionOf(reference: NamespacedName): number | undefined;
  storageLocations(namespace: string): readonly BackupStorageLocation[];
}

/** The handle that a content stands for, once it is known. */
export function handleOf(content: VolumeSnapshotContent): string | undefined {
  return content.spec.source.snapshotHandle ?? content.status?.snapshotHandle ?? undefined;
}

/**
 * Indexes a world. Maps in maps: joining two names to one key costs more than looking twice. `find`, of whoever has the very same
 * objects by their names already, saves what takes most of the time.
 */
export function relate(world: World, find: Finder = findIn(world)): Relations {
  // Few worlds have a question for these.
  const indexes = once(() => indexUploads(world));
  const moved = once(() => groupBySnapshot(world.dataUploads));
  const backups = nested(world.backups, ({ metadata }) => labelled(referenceOf(metadata)));
  const requested = nested(world.deleteBackupRequests.filter(isInProgress), ({ metadata, spec }) =>
    labelled({ namespace: metadata.namespace ?? "", name: spec.backupName }),
  );
  const deletions = nested([...world.deletions], ([key]) => labelled(referenceIn(key)));
  const locations = Map.groupBy(world.storageLocations, ({ metadata }) => metadata.namespace ?? "");
  return {
    ...find,
    world,
    document: world.documents,
    uploadByAlias: (alias) => indexes().aliases.get(alias),
    uploadsOf: (namespace, snapshot) => moved().get(namespace)?.get(snapshot) ?? [],
    uploadByHandle: (driver, handle) => indexes().handles.get(handleKey(driver, handle)),
    backup: ({ namespace, name }) => backups.get(namespace)?.get(toLabelValue(name)),
    isBeingDeleted: ({ namespace, name }) => requested.get(namespace)?.has(toLabelValue(name)) ?? false,
    deletionOf: ({ namespace, name }) => deletions.get(namespace)?.get(toLabelValue(name))?.[1],
    storageLocations: (namespace) => locations.get(namespace) ?? [],
  };
}

/** Finds by maps that are made of the world's lists. */
function findIn(world: World): Finder {
  const contents = byName(world.contents);
  const byHandle = groupByHandle(world.contents);
  const snapshots = byName(world.snapshots);
  const uploads = byName(world.dataUploads);
  const claims = byName(world.claims);
  const volumes = byName(world.volumes);
  return {
    content: (name) => contents.get("")?.get(name),
    contentsOf: (driver, handle) => byHandle.get(driver)?.get(handle) ?? [],
    snapshot: (namespace, name) => snapshots.get(namespace)?.get(name),
    upload: (namespace, name) => uploads.get(namespace)?.get(name),
    claim: (namespace, name) => claims.get(namespace)?.get(name),
    volume: (name) => volumes.get("")?.get(name),
  };
}

type Nested<T> = ReadonlyMap<string, ReadonlyMap<string, T>>;

function nested<T>(objects: readonly T[], placeOf: (object: T) => NamespacedName): Nested<T> {
  const outer = new Map<string, Map<string, T>>();
  for (const object of objects) {
    const { namespace, name } = placeOf(object);
    const inner = outer.get(namespace) ?? new Map<string, T>();
    outer.set(namespace, inner.set(name, object));
  }
  return outer;
}

function byName<T extends { readonly metadata: Metadata }>(objects: readonly T[]): Nested<T> {
  return nested(objects, ({ metadata }) => referenceOf(metadata));
}

function grouped<T>(objects: readonly T[], placeOf: (object: T) => NamespacedName): Nested<readonly T[]> {
  const outer = new Map<string, Map<string, T[]>>();
  for (const object of objects) {
    const { namespace, name } = placeOf(object);
    const inner = outer.get(namespace) ?? new Map<string, T[]>();
    outer.set(namespace, inner);
    const group = inner.get(name);
    if (group === undefined) {
      inner.set(name, [object]);
    } else {
      group.push(object);
    }
  }
  return outer;
}

function groupByHandle(contents: readonly VolumeSnapshotContent[]): Nested<readonly VolumeSnapshotContent[]> {
  return grouped(contents, (content) => ({ namespace: content.spec.driver, name: handleOf(content) ?? "" }));
}

function groupBySnapshot(uploads: readonly DataUpload[]): Nested<readonly DataUpload[]> {
  return grouped(uploads, ({ spec }) => ({
    namespace: spec.sourceNamespace,
    name: spec.csiSnapshot?.volumeSnapshot ?? "",
  }));
}

function once<T>(make: () => T): () => T {
  let made: { readonly value: T } | undefined;
  return () => (made ??= { value: make() }).value;
}

/** A Backup is found by its name as a label value: where only a label named it, a long name is shortened. */
function labelled({ namespace, name }: NamespacedName): NamespacedName {
  return { namespace, name: toLabelValue(name) };
}

function referenceOf({ namespace = "", name = "" }: Metadata): NamespacedName {
  return { namespace, name };
}

function referenceIn(key: string): NamespacedName {
  const [namespace = "", name = ""] = key.split("/");
  return { namespace, name };
}

function isInProgress({ status }: DeleteBackupRequest): boolean {
  return status?.phase === "InProgress";
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
    // Clones of Velero's own mover are found by their names.
    if (!hasOtherMover(upload)) {
      continue;
    }
    const { driver, handle } = movedSnapshotOf(upload, document);
    if (handle !== undefined && driver !== undefined) {
      handles.set(handleKey(driver, handle), upload);
    }
  }
  return { aliases, handles };
}
