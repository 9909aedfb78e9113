import { setTimeout as sleep } from "node:timers/promises";
import { createSigner } from "../../../src/admission/signer.ts";
import { writeInherited } from "../../../src/admission/inherited.ts";
import type { Inherited } from "../../../src/admission/inherited.ts";
import {
  ALIAS_LABEL,
  BACKUP_NAME_LABEL,
  EXCLUDE_FROM_BACKUP_LABEL,
  INHERITED_ANNOTATION,
  RETAINED_LABEL,
  RETAINED_SNAPSHOT_ANNOTATION,
  VOLUME_NAME_LABEL,
} from "../../../src/kube/keys.ts";
import type { Rest } from "../../../src/kube/rest.ts";
import { StoredObject } from "./etcd.ts";
import type { Etcd } from "./etcd.ts";

/** How large a world is. */
export interface Size {
  readonly volumes: number;
  readonly snapshotsEach: number;
}

const DRIVER = "array.csi.snapshot-retainer.io";
const PARALLEL = 32;
const HOUR_MS = 3_600_000;

/** Where to make it: through the API server, and beneath it. */
export interface Place {
  readonly rest: Rest;
  readonly etcd: Etcd;
}

/**
 * Makes a world as it is after many nights: each Backup moved the data of all volumes, and every snapshot is retained, with
 * its DataUpload, claim and volume. Contents get their status as the CSI sidecar writes it. What is there already, stays:
 * `from` volumes of it. The API server, which needs 3 ms of a processor for each of these calls, makes one volume's and one snapshot's
 * objects; of all others what it would have stored is written to its etcd, which it watches. It reads JSON of its own kinds there, too.
 */
export async function populate(
  { rest, etcd }: Place,
  { volumes, snapshotsEach }: Size,
  from: number,
  onProgress: (text: string) => void,
): Promise<void> {
  const backups = Array.from({ length: snapshotsEach }, (_, night) => `nightly-${night}`);
  if (from === 0) await inParallel(backups, async (name, night) => createBackup(rest, name, night));
  const claims = Array.from({ length: volumes - from }, (_, index) => `data-${from + index}`);
  await makeVolumes({ rest, etcd }, claims);
  const snapshots = backups.flatMap((backup, night) => claims.map((claim) => ({ backup, night, claim })));
  const [first, ...others] = snapshots;
  if (first === undefined) return;
  await createSnapshot(rest, first);
  const models = await readModels(etcd, nameOf(first));
  const last = others.pop();
  await etcd.putAll(others.flatMap((snapshot) => stored(snapshot, models)));
  // After all others: where the API server knows of it, it knows of them.
  if (last !== undefined) await etcd.putAll(stored(last, models));
  await untilSeen(rest, last);
  onProgress(`made ${snapshots.length} snapshots`);
}

/** A claim and its PersistentVolume each. */
async function makeVolumes({ rest, etcd }: Place, claims: readonly string[]): Promise<void> {
  const [first, ...others] = claims;
  if (first === undefined) return;
  const { volume, claim } = makeVolume(first);
  const [volumes, ofShop] = ["/api/v1/persistentvolumes", "/api/v1/namespaces/shop/persistentvolumeclaims"];
  await rest.call("POST", volumes, { body: volume });
  await rest.call("POST", ofShop, { body: claim });
  const volumeModel = StoredObject.parse(await rest.get(`${volumes}/${volume.metadata.name}`));
  const claimModel = StoredObject.parse(await rest.get(`${ofShop}/${first}`));
  await etcd.putAll(
    others.flatMap((name) => {
      const made = makeVolume(name);
      return [
        [`/registry/persistentvolumes/${made.volume.metadata.name}`, likeModel(volumeModel, made.volume)],
        [`/registry/persistentvolumeclaims/shop/${name}`, likeModel(claimModel, made.claim)],
      ] as const;
    }),
  );
}

const CONTENTS = "/registry/snapshot.storage.k8s.io/volumesnapshotcontents";
const DATA_UPLOADS = "/registry/velero.io/datauploads/velero";

/** What the API server stored of one snapshot. */
interface Models {
  readonly content: StoredObject;
  readonly dataUpload: StoredObject;
}

async function readModels(etcd: Etcd, name: string): Promise<Models> {
  return {
    content: await etcd.read(`${CONTENTS}/${name}`),
    dataUpload: await etcd.read(`${DATA_UPLOADS}/${name}`),
  };
}

/** The same of another: what its own creation would write, and from the model what the API server adds. */
function stored(snapshot: Snapshot, { content, dataUpload }: Models): [string, StoredObject][] {
  const name = nameOf(snapshot);
  const made = makeSnapshot(snapshot);
  return [
    [`${DATA_UPLOADS}/${name}`, likeModel(dataUpload, made.dataUpload)],
    [`${CONTENTS}/${name}`, likeModel(content, { ...made.content, status: made.status })],
  ];
}

function likeModel(model: StoredObject, made: Made): StoredObject {
  // The version is where it is stored, not in it.
  const metadata = { ...model.metadata, resourceVersion: undefined, uid: crypto.randomUUID() };
  return {
    ...model,
    ...made,
    metadata: { ...metadata, ...made.metadata },
    spec: { ...model.spec, ...made.spec },
  };
}

async function untilSeen(rest: Rest, last: Snapshot | undefined): Promise<void> {
  if (last === undefined) return;
  const collections = [
    "snapshot.storage.k8s.io/v1/volumesnapshotcontents",
    "velero.io/v2alpha1/namespaces/velero/datauploads",
  ];
  for (const collection of collections) {
    while ((await rest.get(`/apis/${collection}/${nameOf(last)}?resourceVersion=0`)) === undefined) {
      await sleep(100);
    }
  }
}

interface Snapshot {
  readonly backup: string;
  readonly night: number;
  readonly claim: string;
}

/** The key that the documents of this world are signed with; the product's Secret has to hold it. */
export const KEY = Buffer.alloc(32, 7);
const signer = createSigner(KEY);

function nameOf({ backup, claim }: Snapshot): string {
  return `${backup}-${claim}`;
}

/** An object as it is sent to be created. */
interface Made {
  readonly apiVersion: string;
  readonly kind: string;
  readonly spec: object;
  readonly status?: object;
  readonly metadata: { readonly name: string } & Readonly<Record<string, unknown>>;
}

function makeSnapshot(snapshot: Snapshot): {
  readonly dataUpload: Made;
  readonly content: Made;
  readonly status: object;
} {
  const { backup, claim } = snapshot;
  const name = nameOf(snapshot);
  const handle = `snap-${name}`;
  const volumeName = `shop.${claim}`;
  const inherited = aDocument(snapshot, handle, volumeName);
  const annotations = { [INHERITED_ANNOTATION]: writeInherited(inherited, signer) };
  const labels = { [ALIAS_LABEL]: inherited.alias, [VOLUME_NAME_LABEL]: volumeName };
  const ofUpload = { ...annotations, [RETAINED_SNAPSHOT_ANNOTATION]: name };
  const ofContent = {
    [BACKUP_NAME_LABEL]: backup,
    [RETAINED_LABEL]: "true",
    [EXCLUDE_FROM_BACKUP_LABEL]: "true",
  };
  return {
    dataUpload: aDataUpload(snapshot, { name, labels, annotations: ofUpload }, inherited),
    content: {
      apiVersion: "snapshot.storage.k8s.io/v1",
      kind: "VolumeSnapshotContent",
      metadata: { name, labels: { ...labels, ...ofContent }, annotations },
      spec: {
        deletionPolicy: "Retain",
        driver: DRIVER,
        source: { snapshotHandle: handle },
        volumeSnapshotClassName: "array",
        volumeSnapshotRef: { namespace: "velero", name, uid: crypto.randomUUID() },
      },
    },
    status: {
      snapshotHandle: handle,
      readyToUse: true,
      restoreSize: 1 << 30,
      creationTime: takenAt(snapshot.night) * 1e6,
    },
  };
}

async function createSnapshot(rest: Rest, snapshot: Snapshot): Promise<void> {
  const { dataUpload, content, status } = makeSnapshot(snapshot);
  await rest.call("POST", "/apis/velero.io/v2alpha1/namespaces/velero/datauploads", { body: dataUpload });
  const contents = "/apis/snapshot.storage.k8s.io/v1/volumesnapshotcontents";
  await rest.call("POST", contents, { body: content });
  await rest.call("PATCH", `${contents}/${nameOf(snapshot)}/status`, {
    contentType: "application/merge-patch+json",
    body: { status },
  });
}

function aDocument({ backup, claim }: Snapshot, handle: string, volumeName: string): Inherited {
  return {
    version: 1,
    kind: "VolumeSnapshotContent",
    alias: crypto.randomUUID(),
    volumeName,
    volume: { namespace: "shop", name: claim },
    backup: { namespace: "velero", name: backup },
    snapshot: { driver: DRIVER, handle, volumeHandle: `vol-${claim}` },
    labels: {},
  };
}

function aDataUpload({ night, claim }: Snapshot, metadata: Made["metadata"], inherited: Inherited): Made {
  const at = new Date(takenAt(night)).toISOString();
  const { alias, volumeName, snapshot } = inherited;
  const { handle, volumeHandle } = snapshot ?? {};
  const name = handle?.replace(/^snap-/, "");
  const dataMoverResult = {
    retainedSnapshot: name,
    snapshotHandle: handle,
    driver: DRIVER,
    volumeHandle,
    snapshotClass: "array",
    alias,
    volumeName,
  };
  return {
    apiVersion: "velero.io/v2alpha1",
    kind: "DataUpload",
    metadata,
    spec: {
      snapshotType: "CSI",
      csiSnapshot: {
        volumeSnapshot: `velero-${claim}`,
        storageClass: "array",
        snapshotClass: "array",
        driver: DRIVER,
      },
      sourcePVC: claim,
      sourceNamespace: "shop",
      backupStorageLocation: "default",
      operationTimeout: "10m0s",
    },
    status: { phase: "Completed", completionTimestamp: at, dataMoverResult },
  };
}

async function createBackup(rest: Rest, name: string, night: number): Promise<void> {
  const completionTimestamp = new Date(takenAt(night) + HOUR_MS).toISOString();
  await rest.call("POST", "/apis/velero.io/v1/namespaces/velero/backups", {
    body: {
      apiVersion: "velero.io/v1",
      kind: "Backup",
      metadata: { name },
      spec: { snapshotMoveData: true },
      status: { phase: "Completed", completionTimestamp },
    },
  });
}

function makeVolume(name: string): { readonly volume: Made; readonly claim: Made } {
  const accessModes = ["ReadWriteOnce"];
  return {
    volume: {
      apiVersion: "v1",
      kind: "PersistentVolume",
      metadata: { name: `pv-${name}` },
      spec: {
        accessModes,
        capacity: { storage: "1Gi" },
        csi: { driver: DRIVER, volumeHandle: `vol-${name}` },
        claimRef: { namespace: "shop", name },
        storageClassName: "array",
      },
    },
    claim: {
      apiVersion: "v1",
      kind: "PersistentVolumeClaim",
      metadata: { name, namespace: "shop", labels: { app: name, tier: "gold" } },
      spec: {
        accessModes,
        resources: { requests: { storage: "1Gi" } },
        storageClassName: "array",
        volumeName: `pv-${name}`,
      },
    },
  };
}

/** One each night, the last one today. */
function takenAt(night: number): number {
  return Date.now() - (100 - night) * 24 * HOUR_MS;
}

async function inParallel<T>(
  all: readonly T[],
  act: (one: T, index: number) => Promise<void>,
): Promise<void> {
  let next = 0;
  async function work(): Promise<void> {
    for (let index = next++; index < all.length; index = next++) {
      const one = all[index];
      if (one !== undefined) await act(one, index);
    }
  }
  await Promise.all(Array.from({ length: PARALLEL }, work));
}
