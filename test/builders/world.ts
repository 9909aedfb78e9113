import { toLabelValue } from "../../src/kube/label-value.ts";
import type * as z from "zod";
import type { Inherited } from "../../src/admission/inherited.ts";
import { millisecondsOf } from "../../src/policy/duration.ts";
import { decide } from "../../src/retention/decide.ts";
import { rememberDocuments } from "../../src/retention/documents.ts";
import {
  Backup,
  BackupStorageLocation,
  DataUpload,
  DeleteBackupRequest,
  PersistentVolume,
  PersistentVolumeClaim,
  VolumeSnapshot,
  VolumeSnapshotContent,
} from "../../src/retention/objects.ts";
import type { Plan, Verdict } from "../../src/retention/plan.ts";
import type { Reservation, World } from "../../src/retention/world.ts";
import { annotated, SIGNER } from "./documents.ts";
import { aBackup, aClaim, aContent, aDataUpload, aVolume, aVolumeSnapshot, DRIVER } from "./objects.ts";
import type { Json, Overrides } from "./objects.ts";
import { aPolicy } from "./policy.ts";

/** When all plans of the tests are made. */
export const NOW = Date.parse("2026-11-24T12:00:00Z");

/** The time so long ago, as Kubernetes writes it: `ago("3h")`. */
export function ago(duration: string): string {
  return timestamp(NOW - millisecondsOf(duration));
}

function timestamp(ms: number): string {
  return new Date(ms).toISOString().replace(/\.\d+Z$/, "Z");
}

/** How long ago, in milliseconds since 1970. */
export function msAgo(duration: string): number {
  return NOW - millisecondsOf(duration);
}

/** A world with these objects, and nothing remembered. */
export function aWorld(...parts: Partial<World>[]): World {
  const empty: World = {
    contents: [],
    snapshots: [],
    dataUploads: [],
    backups: [],
    deleteBackupRequests: [],
    storageLocations: [],
    dataDownloads: [],
    claims: [],
    volumes: [],
    documents: rememberDocuments(SIGNER),
    reservations: [],
    deletions: new Map(),
    missingSince: new Map(),
    freedAt: [],
    vanished: [],
  };
  return parts.reduce<World>(
    (world, part) => ({
      ...world,
      ...part,
      contents: [...world.contents, ...(part.contents ?? [])],
      snapshots: [...world.snapshots, ...(part.snapshots ?? [])],
      dataUploads: [...world.dataUploads, ...(part.dataUploads ?? [])],
      backups: [...world.backups, ...(part.backups ?? [])],
      claims: [...world.claims, ...(part.claims ?? [])],
      volumes: [...world.volumes, ...(part.volumes ?? [])],
      reservations: [...world.reservations, ...(part.reservations ?? [])],
    }),
    empty,
  );
}

/** What a case says of one snapshot; everything else is as it would be in a cluster. */
export interface Taken {
  /** Of the content and its DataUpload; its Backup is `b-` and this. */
  readonly name: string;
  /** How long ago: `3h`. */
  readonly age: string;
  /** Phase of the DataUpload; null where it is gone. */
  readonly upload?: string | null;
  /** Phase of the Backup; null where it is gone. */
  readonly backup?: string | null;
  /** Labelled as retained. */
  readonly retained?: boolean;
  readonly ready?: boolean | undefined;
  /** Our finalizer is on its content. */
  readonly held?: boolean;
  readonly deletionPolicy?: string;
  readonly labels?: Record<string, string>;
  readonly pvc?: string;
  readonly namespace?: string;
  readonly driver?: string;
  readonly handle?: string;
  /** The volume on the storage. */
  readonly volumeHandle?: string | undefined;
  /** Whether content and DataUpload carry our document. */
  readonly documents?: "both" | "content" | "upload" | "none";
  readonly schedule?: string;
  /** Changes of the objects that come out. */
  readonly content?: Overrides;
  readonly dataUpload?: Overrides;
  readonly backupObject?: Overrides;
}

/** A snapshot whose data was copied two minutes after it was taken, and whose Backup ended a minute later. */
export function taken(options: Taken): Partial<World> {
  const { upload = "Completed", backup = "Completed" } = options;
  const document = documentOf(options);
  return {
    contents: [contentOf(options, document)],
    dataUploads: upload === null ? [] : [uploadOf({ ...options, upload }, document)],
    backups: backup === null ? [] : [backupOf({ ...options, backup })],
  };
}

/** The same, labelled as retained. */
export function retained(name: string, age: string, options: Partial<Taken> = {}): Partial<World> {
  return taken({ name, age, retained: true, ...options });
}

/** The document of a snapshot's content. */
export function documentOf({ name, pvc = "data", namespace = "app", ...options }: Taken): Inherited {
  const { driver = DRIVER, handle = `handle-${name}`, volumeHandle = "vol-1" } = options;
  const stored = "volumeHandle" in options ? options.volumeHandle : volumeHandle;
  return {
    version: 1,
    kind: "VolumeSnapshotContent",
    alias: `alias-${name}`,
    volumeName: toLabelValue(`${namespace}.${pvc}`),
    volume: { namespace, name: pvc },
    backup: { namespace: "velero", name: `b-${name}` },
    snapshot: { driver, handle, ...(stored === undefined ? {} : { volumeHandle: stored }) },
    labels: {},
  };
}

function contentOf(options: Taken, document: Inherited): VolumeSnapshotContent {
  const { name, age, driver = DRIVER, handle = `handle-${name}`, documents = "both" } = options;
  const isDocumented = documents === "both" || documents === "content";
  const at = msAgo(age);
  const base = {
    metadata: {
      name,
      uid: `uid-${name}`,
      resourceVersion: "7",
      creationTimestamp: timestamp(at),
      labels: {
        ...(isDocumented ? identity(document) : {}),
        ...(options.retained === true ? { "snapshot-retainer.io/retained": "true" } : {}),
        ...options.labels,
      },
      annotations: {
        "snapshot.storage.kubernetes.io/volumesnapshot-being-deleted": "yes",
        ...(isDocumented ? annotated(document) : {}),
      },
      finalizers: [...(options.held === true ? ["snapshot-retainer.io/hold"] : []), BOUND_PROTECTION],
    },
    spec: {
      driver,
      deletionPolicy: options.deletionPolicy ?? "Retain",
      source: { snapshotHandle: handle },
      volumeSnapshotRef: { namespace: "velero", name, uid: `uid-of-snapshot-${name}` },
    },
    status: { snapshotHandle: handle, creationTime: at * 1e6, readyToUse: options.ready ?? true },
  };
  return parsed(VolumeSnapshotContent, patched(aContent(base), options.content));
}

/** The sidecar's finalizer, which keeps a content until its snapshot is freed. */
export const BOUND_PROTECTION = "snapshot.storage.kubernetes.io/volumesnapshotcontent-bound-protection";

function identity(document: Inherited): Record<string, string> {
  return {
    "velero.io/snapshot-alias-name": document.alias,
    "velero.io/snapshot-volume-name": document.volumeName,
    "snapshot-retainer.io/backup-name": document.backup?.name ?? "",
    "velero.io/exclude-from-backup": "true",
  };
}

function uploadOf(options: Taken & { readonly upload: string }, document: Inherited): DataUpload {
  const { name, age, documents = "both", namespace = "app", pvc = "data", driver = DRIVER } = options;
  const isFinal = ["Completed", "Failed", "Canceled"].includes(options.upload);
  const base = aDataUpload({
    metadata: {
      name,
      uid: `uid-of-upload-${name}`,
      resourceVersion: "5",
      creationTimestamp: timestamp(msAgo(age)),
      generateName: undefined,
      labels: { "velero.io/backup-name": `b-${name}` },
      ownerReferences: [{ kind: "Backup", name: `b-${name}` }],
      annotations: {
        ...(documents === "both" || documents === "upload" ? decided(document) : {}),
        ...(options.retained === true ? { "snapshot-retainer.io/retained-snapshot": name } : {}),
      },
    },
    spec: {
      sourceNamespace: namespace,
      sourcePVC: pvc,
      csiSnapshot: { volumeSnapshot: `velero-${pvc}`, storageClass: "fast", driver },
    },
    status: {
      phase: options.upload,
      ...(isFinal ? { completionTimestamp: timestamp(msAgo(age) + 120_000) } : {}),
      ...(options.retained === true ? { dataMoverResult: recorded(name, document) } : {}),
    },
  });
  return parsed(DataUpload, patched(base, options.dataUpload));
}

function decided(document: Inherited): Record<string, string> {
  const ofSnapshot = { ...document, kind: "VolumeSnapshot", labels: { tier: "gold" } };
  return { "snapshot-retainer.io/retain": "true", ...annotated(ofSnapshot) };
}

/** What `status.dataMoverResult` says of a retained snapshot. */
export function recorded(name: string, document: Inherited): Record<string, string> {
  return {
    retainedSnapshot: name,
    snapshotHandle: document.snapshot?.handle ?? "",
    driver: document.snapshot?.driver ?? "",
    ...(document.snapshot?.volumeHandle === undefined
      ? {}
      : { volumeHandle: document.snapshot.volumeHandle }),
    snapshotClass: "fast",
    alias: document.alias,
    volumeName: document.volumeName,
  };
}

function backupOf(options: Taken & { readonly backup: string }): Backup {
  const { name, age, schedule } = options;
  const isOver = ["Completed", "PartiallyFailed", "Failed", "FailedValidation"].includes(options.backup);
  const base = aBackup({
    metadata: {
      name: `b-${name}`,
      uid: `uid-of-backup-${name}`,
      creationTimestamp: timestamp(msAgo(age) - 60_000),
      labels: schedule === undefined ? {} : { "velero.io/schedule-name": schedule },
      annotations: { "backup.velero.io/data-mover-snapshot-to-retain": "3" },
    },
    status: {
      phase: options.backup,
      startTimestamp: timestamp(msAgo(age) - 59_000),
      ...(isOver ? { completionTimestamp: timestamp(msAgo(age) + 180_000) } : {}),
    },
  });
  return parsed(Backup, patched(base, options.backupObject));
}

/** A VolumeSnapshot and its content that Velero is taking. */
export function taking(name: string, age: string, options: Partial<Taken> = {}): Partial<World> {
  const all = { name, age, ...options };
  const { pvc = "data", namespace = "app", documents = "both" } = all;
  const { snapshot, ...document } = documentOf(all);
  const time = { creationTimestamp: timestamp(msAgo(age)) };
  const annotations = documents === "none" ? {} : annotated({ ...document, labels: {} });
  const { "velero.io/exclude-from-backup": _, ...identifying } = identity(document);
  const ours = documents === "none" ? {} : identifying;
  const labels = { "velero.io/backup-name": `b-${name}`, ...ours };
  const content = aContent({
    metadata: {
      name: `snapcontent-${name}`,
      uid: `uid-of-original-${name}`,
      ...time,
      annotations,
      labels: ours,
    },
    spec: {
      driver: snapshot?.driver,
      source: { volumeHandle: snapshot?.volumeHandle ?? "vol-1" },
      volumeSnapshotRef: { namespace, name: `velero-${name}`, uid: `vs-${name}` },
    },
  });
  const object = aVolumeSnapshot({
    metadata: { name: `velero-${name}`, namespace, uid: `vs-${name}`, ...time, annotations, labels },
    spec: { source: { persistentVolumeClaimName: pvc } },
    status: { boundVolumeSnapshotContentName: `snapcontent-${name}` },
  });
  return {
    contents: [parsed(VolumeSnapshotContent, patched(content, options.content))],
    snapshots: [parsed(VolumeSnapshot, object)],
    backups: [backupOf({ ...all, backup: options.backup ?? "InProgress" })],
  };
}

/** The PersistentVolumeClaim of all snapshots, and its volume. */
export function claimed(claim: Overrides = {}, volume: Overrides = {}): Partial<World> {
  const { metadata, ...others } = claim;
  const base = aClaim({
    metadata: { creationTimestamp: ago("90d"), labels: { tier: "gold" }, ...metadata },
    status: { phase: "Bound" },
    ...others,
  });
  return {
    claims: [parsed(PersistentVolumeClaim, base)],
    volumes: [parsed(PersistentVolume, aVolume(volume))],
  };
}

/** A claim that waits for the VolumeSnapshot of this name in its namespace. */
export function waitingFor(snapshot: string, overrides: Overrides = {}): Partial<World> {
  const source = { kind: "VolumeSnapshot", name: snapshot };
  const claim = aClaim({
    metadata: { name: "restored", namespace: "velero", uid: "uid-restored" },
    spec: { dataSource: source, dataSourceRef: source, volumeName: undefined },
    status: { phase: "Pending" },
  });
  return { claims: [parsed(PersistentVolumeClaim, patched(claim, overrides))] };
}

/** The VolumeSnapshot that a clone's content is bound to. */
export function cloneSnapshot(name: string): Partial<World> {
  const object = aVolumeSnapshot({
    metadata: {
      name,
      namespace: "velero",
      uid: `uid-of-snapshot-${name}`,
      resourceVersion: "3",
      labels: undefined,
    },
    spec: { source: { persistentVolumeClaimName: undefined, volumeSnapshotContentName: name } },
    status: { boundVolumeSnapshotContentName: name },
  });
  return { snapshots: [parsed(VolumeSnapshot, object)] };
}

/** A request for room for the volume of all snapshots, of a Backup that runs; `backup`: its phase, null where there is none. */
export function reservation(
  seen: string,
  overrides: Partial<Reservation> = {},
  { backup = "InProgress" }: { readonly backup?: string | null } = {},
): Partial<World> {
  const { name = "b-new", namespace = "velero" } = overrides.backup ?? {};
  const running = { name: name.slice(2), age: "0s", backup, backupObject: { metadata: { namespace } } };
  return {
    backups: backup === null ? [] : [backupOf({ ...running, backup })],
    reservations: [
      {
        volume: { namespace: "app", name: "data" },
        volumeName: "app.data",
        backup: { namespace: "velero", name: "b-new" },
        holder: "holder-1",
        seenAtMs: msAgo(seen),
        askedAtMs: msAgo(seen),
        ...overrides,
      },
    ],
  };
}

export function aDeleteRequest(backup: string, phase: string): DeleteBackupRequest {
  return parsed(DeleteBackupRequest, {
    metadata: { name: `delete-${backup}`, namespace: "velero" },
    spec: { backupName: backup },
    status: { phase },
  });
}

/** A storage location that was synced so long ago. */
export function aLocation(synced: string, overrides: Overrides = {}): BackupStorageLocation {
  return parsed(BackupStorageLocation, {
    metadata: { name: "default", namespace: "velero" },
    spec: { ...overrides.spec },
    status: { phase: "Available", lastSyncedTime: ago(synced), ...overrides.status },
  });
}

/** The plan of a world, under a policy that retains three unless a case says otherwise. */
export function planOf(world: World, policy: Parameters<typeof aPolicy>[0] = {}, now = NOW): Plan {
  return decide(world, aPolicy(policy), now);
}

/** Each snapshot with what was decided: `kept within_number`, `going over_number, waiting_for_budget`. */
export function decisionsIn(plan: Plan): Record<string, string> {
  return Object.fromEntries(plan.snapshots.map((verdict) => [verdict.name, sentence(verdict)]));
}

function sentence({ kept, reason, held }: Verdict): string {
  return `${kept ? "kept" : "going"} ${reason}${held === undefined ? "" : `, ${held}`}`;
}

/** Each action with its snapshot: `free s1`. */
export function actionsIn(plan: Plan): string[] {
  return plan.actions.map(({ kind, key }) => `${kind} ${key}`);
}

function parsed<T>(view: z.ZodType<T>, object: Json): T {
  return view.parse(object);
}

function patched(base: Json, overrides: Overrides = {}): Json {
  const entries = Object.entries(overrides).map(([key, part]) => [key, mergeDeep(base[key], part)] as const);
  return { ...base, ...Object.fromEntries(entries) };
}

function mergeDeep(base: unknown, part: unknown): unknown {
  if (!isPlain(base) || !isPlain(part)) {
    return part;
  }
  const entries = Object.entries(part).map(([key, value]) => [key, mergeDeep(base[key], value)] as const);
  const merged = Object.entries({ ...base, ...Object.fromEntries(entries) });
  return Object.fromEntries(merged.filter(([, value]) => value !== undefined));
}

function isPlain(value: unknown): value is Json {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
