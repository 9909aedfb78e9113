import type * as z from "zod";
import type { Signer } from "../admission/signer.ts";
import { RESTORE_VOLUME_ANNOTATION } from "../kube/keys.ts";
import { DataDownload, valueOf } from "../kube/objects.ts";
import type { Rest } from "../kube/rest.ts";
import type { RestoreFacts } from "../restore/facts.ts";
import type { Leftovers } from "../restore/leftovers.ts";
import { isOurs } from "../restore/hand-back.ts";
import { restoreName } from "../restore/names.ts";
import { Claim, Content, Snapshot, StorageClass, Volume } from "../restore/objects.ts";
import { sourceOf } from "../restore/source.ts";
import { claimPath, contentPath, dataDownloadPath, snapshotPath, volumePath } from "./writes.ts";

/** Reads objects as they are now: a restore takes seconds, and each step has to know what the one before came to. */
export interface Reads {
  get<T>(path: string, view: z.ZodType<T>): Promise<T | undefined>;
}

/** Reads that end when `signal` aborts. */
export function createReads(rest: Pick<Rest, "get">, signal: AbortSignal): Reads {
  return {
    async get(path, view) {
      const found = await rest.get(path, signal);
      return found === undefined ? undefined : view.parse(found);
    },
  };
}

/** Where a DataDownload is. */
export interface DownloadRef {
  readonly namespace: string;
  readonly name: string;
}

/** What is known of a restore; undefined where the DataDownload is gone. */
export async function readRestore(
  ref: DownloadRef,
  reads: Reads,
  signer: Signer,
): Promise<RestoreFacts | undefined> {
  const download = await reads.get(dataDownloadPath(ref), DataDownload);
  if (download === undefined) return undefined;
  const source = sourceOf(download, signer);
  const [target, retained, made] = await Promise.all([
    readTarget(download, reads),
    source?.local === true ? reads.get(contentPath(source.name), Content) : undefined,
    readMade(download, reads),
  ]);
  const className = target?.spec.storageClassName ?? "";
  const storageClass =
    className === ""
      ? undefined
      : await reads.get(
          `/apis/storage.k8s.io/v1/storageclasses/${encodeURIComponent(className)}`,
          StorageClass,
        );
  return { download, source, target, storageClass, retained, ...made };
}

async function readTarget({ spec }: DataDownload, reads: Reads): Promise<Claim | undefined> {
  const { namespace, pvc: name } = spec.targetVolume;
  return reads.get(claimPath({ namespace, name }), Claim);
}

type Made = Pick<RestoreFacts, "content" | "snapshot" | "claim" | "volume">;

async function readMade({ metadata }: DataDownload, reads: Reads): Promise<Made> {
  const { uid = "", namespace = "" } = metadata;
  const ref = { namespace, name: restoreName(uid) };
  const [content, snapshot, claim] = await Promise.all([
    reads.get(contentPath(ref.name), Content),
    reads.get(snapshotPath(ref), Snapshot),
    reads.get(claimPath(ref), Claim),
  ]);
  const volumeName = valueOf(metadata.annotations, RESTORE_VOLUME_ANNOTATION) ?? claim?.spec.volumeName ?? "";
  const volume = volumeName === "" ? undefined : await reads.get(volumePath(volumeName), Volume);
  return { content, snapshot, claim, volume };
}

/** Where something was left by a restore. */
export interface LeftoverRef {
  readonly uid: string;
  /** Of the DataDownload; empty where nothing says it any more. */
  readonly download: DownloadRef;
  /** Names of volumes that carry its label. */
  readonly volumes: readonly string[];
}

/** What is left of a restore; undefined while its DataDownload is ours to carry out. */
export async function readLeftovers(ref: LeftoverRef, reads: Reads): Promise<Leftovers | undefined> {
  const { uid } = ref;
  const { namespace, name } = ref.download;
  const download = name === "" ? undefined : await reads.get(dataDownloadPath(ref.download), DataDownload);
  if (download?.metadata.uid === uid && isOurs(download)) return undefined;
  const place = { namespace, name: restoreName(uid) };
  const [content, snapshot, claim] = await Promise.all([
    reads.get(contentPath(place.name), Content),
    reads.get(snapshotPath(place), Snapshot),
    reads.get(claimPath(place), Claim),
  ]);
  const names = new Set([...ref.volumes, claim?.spec.volumeName ?? ""].filter((each) => each !== ""));
  const held = await Promise.all([...names].map(async (each) => readHeld(each, reads)));
  return { content, snapshot, claim, volumes: held.filter((each) => each !== undefined) };
}

async function readHeld(name: string, reads: Reads): Promise<Leftovers["volumes"][number] | undefined> {
  const volume = await reads.get(volumePath(name), Volume);
  if (volume === undefined) return undefined;
  const { namespace = "", name: claim = "", uid } = volume.spec.claimRef ?? {};
  const holder = claim === "" ? undefined : await reads.get(claimPath({ namespace, name: claim }), Claim);
  return { volume, holder: holder?.metadata.uid === uid ? holder : undefined };
}
