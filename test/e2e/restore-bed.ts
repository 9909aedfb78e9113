import assert from "node:assert/strict";
import * as z from "zod";
import type { RestoreOptions } from "../cluster/velero-restores.ts";
import { DATA_DOWNLOAD_LABEL, RESTORE_DECISION_ANNOTATION } from "../../src/kube/keys.ts";
import type { Velero } from "../cluster/velero.ts";
import type { Api, Ref, Stored } from "./api.ts";
import { eventually, PATIENCE_MS } from "./eventually.ts";
import { readMetric } from "./metrics.ts";
import type { Manifest } from "./objects.ts";
import { uploadsOf } from "./real-velero.ts";
import type { Bed } from "./retention-bed.ts";
import { aContent } from "./velero.ts";

/** A claim that is there, or is to be restored. */
export interface ClaimName {
  readonly namespace: string;
  readonly name: string;
}

/** What the storage made of a restored claim. */
export interface Restored {
  /** The snapshot that the volume was made from, as the array has it; undefined for an empty volume that data was moved to. */
  readonly source: string | undefined;
  readonly handle: string;
  readonly reclaimPolicy: string;
  readonly claim: Stored;
}

/** Restores, and expects the Restore to complete without an error. */
export async function restoreAll(velero: Velero, name: string, options: RestoreOptions): Promise<void> {
  const { phase, errors } = await velero.restore(name, options);
  assert.deepEqual({ phase, errors }, { phase: "Completed", errors: 0 }, name);
}

/** A claim with its volume, as Kubernetes and the array have it; the claim has to be bound. */
export async function restoredFrom(
  { api, cluster }: Pick<Bed, "api" | "cluster">,
  { namespace, name }: ClaimName,
): Promise<Restored> {
  const claim = await api.read(aClaimNamed(namespace, name));
  assert.equal(claim.status["phase"], "Bound", `${namespace}/${name}`);
  const volumeName = z.string().parse(claim.spec["volumeName"]);
  const volume = await api.read({
    apiVersion: "v1",
    kind: "PersistentVolume",
    metadata: { name: volumeName },
  });
  const { csi, persistentVolumeReclaimPolicy: reclaimPolicy } = VolumeSpec.parse(volume.spec);
  const states = await Promise.all(cluster.arrays.map(async (array) => array.state()));
  const onArray = states.flatMap(({ volumes }) => volumes).find(({ id }) => id === csi.volumeHandle);
  assert.ok(onArray, `the array has no volume ${csi.volumeHandle}`);
  return { source: onArray.source, handle: onArray.id, reclaimPolicy, claim };
}

const VolumeSpec = z.object({
  csi: z.object({ volumeHandle: z.string() }),
  persistentVolumeReclaimPolicy: z.string(),
});

/** Handle of the snapshot that was retained of a claim by a Backup, when it is. */
export async function retainedOf({ api }: Bed, backup: string, claim: ClaimName): Promise<string> {
  const { namespace, name } = claim;
  return eventually(
    `a snapshot of ${namespace}/${name} is retained by ${backup}`,
    async () => {
      const uploads = await uploadsOf(api, backup);
      const upload = uploads.find(
        ({ spec }) => spec["sourcePVC"] === name && spec["sourceNamespace"] === namespace,
      );
      assert.ok(upload);
      return handleOfRetained(await api.read(aContent(upload.metadata.name)));
    },
    PATIENCE_MS,
  );
}

function handleOfRetained(content: Stored): string {
  assert.equal(content.metadata.labels["snapshot-retainer.io/retained"], "true");
  assert.equal(content.spec["deletionPolicy"], "Retain");
  return z.string().parse(content.status["snapshotHandle"]);
}

/** The snapshot is on the array, and the content that stands for it is retained as it was. */
export async function isStillRetained({ api, cluster }: Bed, handle: string): Promise<void> {
  const states = await Promise.all(cluster.arrays.map(async (array) => array.state()));
  assert.ok(
    states.some(({ snapshots }) => snapshots.some(({ id }) => id === handle)),
    handle,
  );
  const contents = await api.list("snapshot.storage.k8s.io/v1", "VolumeSnapshotContent");
  const ours = contents.filter(
    ({ status, metadata }) =>
      status["snapshotHandle"] === handle && metadata.labels[DATA_DOWNLOAD_LABEL] === undefined,
  );
  assert.deepEqual(ours.map(handleOfRetained), [handle]);
}

/** The DataDownloads of a Restore. */
export async function downloadsOf(api: Api, restore: string): Promise<Stored[]> {
  const selector = `labelSelector=velero.io/restore-name=${restore}`;
  return api.list("velero.io/v2alpha1", "DataDownload", selector);
}

/** Where each DataDownload of a Restore says that its volume came from, and why. */
export async function decisionsOf(api: Api, restore: string): Promise<string[]> {
  const downloads = await downloadsOf(api, restore);
  return downloads.map(({ metadata }) => metadata.annotations[RESTORE_DECISION_ANNOTATION] ?? "");
}

/** Deletes claims, and returns when they and their volumes are gone. */
export async function removeClaims({ api }: Bed, ...claims: readonly ClaimName[]): Promise<void> {
  for (const { namespace, name } of claims) await api.remove(aClaimNamed(namespace, name));
  await eventually(
    "the claims and their volumes are gone",
    async () => {
      for (const { namespace, name } of claims) {
        assert.equal(await api.find(aClaimNamed(namespace, name)), undefined);
      }
      const volumes = await api.list("v1", "PersistentVolume");
      const left = volumes.flatMap(({ spec }) => claimOf(spec) ?? []);
      for (const { namespace, name } of claims) assert.ok(!left.includes(`${namespace}/${name}`));
    },
    PATIENCE_MS,
  );
}

function claimOf(spec: Stored["spec"]): string | undefined {
  const { data } = WithClaim.safeParse(spec["claimRef"]);
  return data && `${data.namespace}/${data.name}`;
}

const WithClaim = z.object({ namespace: z.string(), name: z.string() });

/**
 * Resolves when nothing is left of any restore: no object that was made for one, no claim or Pod in Velero's namespaces, no
 * volume that no claim has, neither in Kubernetes nor on an array.
 */
export async function nothingLeft(...beds: readonly Bed[]): Promise<void> {
  await eventually("nothing is left of the restores", async () => assertNothingLeft(beds), PATIENCE_MS);
}

async function assertNothingLeft(beds: readonly Bed[]): Promise<void> {
  const handles = (await Promise.all(beds.map(handlesOfVolumes))).flat();
  for (const { api, cluster, velero, others } of beds) {
    assert.deepEqual((await madeForRestores(api)).map(nameOf), []);
    for (const { namespace } of [velero, ...others]) {
      const kinds = [
        await api.list("v1", "PersistentVolumeClaim"),
        await api.list("snapshot.storage.k8s.io/v1", "VolumeSnapshot"),
        await api.list("v1", "Pod", "labelSelector=velero.io/data-download"),
      ];
      const inside = kinds.flat().filter(({ metadata }) => metadata.namespace === namespace);
      assert.deepEqual(inside.map(nameOf), []);
    }
    for (const array of cluster.arrays) {
      const { volumes } = await array.state();
      assert.deepEqual(
        volumes.filter(({ id }) => !handles.includes(id)),
        [],
      );
    }
  }
}

/** Of all volumes in a cluster; each of them has to be bound. */
async function handlesOfVolumes({ api }: Bed): Promise<string[]> {
  const volumes = await api.list("v1", "PersistentVolume");
  assert.deepEqual(volumes.filter(({ status }) => status["phase"] !== "Bound").map(nameOf), []);
  return volumes.map(({ spec }) => VolumeSpec.parse(spec).csi.volumeHandle);
}

/** Resolves when nothing is left of one restore while others may be under way. */
export async function nothingLeftOf({ api }: Bed, restore: string): Promise<void> {
  await eventually(
    `nothing is left of ${restore}`,
    async () => {
      const downloads = new Set((await downloadsOf(api, restore)).map(({ metadata }) => metadata.uid));
      const left = (await madeForRestores(api)).filter(({ metadata }) =>
        downloads.has(metadata.labels[DATA_DOWNLOAD_LABEL] ?? ""),
      );
      assert.deepEqual(left.map(nameOf), []);
    },
    PATIENCE_MS,
  );
}

/** Everything that carries the mark of a DataDownload. */
export async function madeForRestores(api: Api): Promise<Stored[]> {
  const kinds = [
    ["snapshot.storage.k8s.io/v1", "VolumeSnapshotContent"],
    ["snapshot.storage.k8s.io/v1", "VolumeSnapshot"],
    ["v1", "PersistentVolumeClaim"],
    ["v1", "PersistentVolume"],
  ] as const;
  const lists = kinds.map(async ([version, kind]) =>
    api.list(version, kind, `labelSelector=${DATA_DOWNLOAD_LABEL}`),
  );
  return (await Promise.all(lists)).flat();
}

function nameOf({ kind, metadata }: Stored): string {
  return `${kind} ${metadata.namespace ?? ""}/${metadata.name}`;
}

/** A claim, to read it by. */
export function aClaimNamed(namespace: string, name: string): Ref {
  return { apiVersion: "v1", kind: "PersistentVolumeClaim", metadata: { namespace, name } };
}

/** Resolves when a controller leads: what replaced a killed one waits for its Lease to run out. */
export async function untilLed({ product }: Bed): Promise<void> {
  await eventually(
    "a controller leads",
    async () => {
      assert.equal(await readMetric(product.runningControllers(), "snapshot_retainer_leader"), 1);
    },
    PATIENCE_MS,
  );
}

/** Tells Velero which storage classes to restore into instead of those that were backed up. */
export function aChangeOfClass(
  classes: Readonly<Record<string, string>>,
): Manifest & { readonly data: object } {
  return {
    apiVersion: "v1",
    kind: "ConfigMap",
    metadata: {
      name: "change-storage-class",
      namespace: "velero",
      labels: { "velero.io/plugin-config": "", "velero.io/change-storage-class": "RestoreItemAction" },
    },
    data: classes,
  };
}
