import { AnyObject } from "../kube/objects.ts";
import type { Metadata } from "../kube/objects.ts";
import type { Rest } from "../kube/rest.ts";
import type { ObjectRef } from "../retention/plan.ts";

/** The writes of one attempt at one object; all of them end when `signal` aborts. */
export interface Writes {
  /** Merges into the object; a conflict where it is another object or another version than the given one. */
  patch(path: string, ref: ObjectRef, change: Change): Promise<unknown>;
  create(path: string, body: object): Promise<unknown>;
  /** Deletes exactly this object, in this version where one is given. */
  remove(path: string, ref: ObjectRef): Promise<void>;
}

/** What to merge into an object. */
export interface Change {
  readonly metadata?: {
    readonly labels?: object;
    readonly annotations?: object;
    /** All of them: a merge replaces lists. */
    readonly finalizers?: readonly string[];
  };
  readonly spec?: object;
  readonly status?: object | null;
}

const CONTENTS = "/apis/snapshot.storage.k8s.io/v1/volumesnapshotcontents";

/** Writes that name what they expect to find. */
export function createWrites(rest: Pick<Rest, "call">, signal: AbortSignal): Writes {
  return {
    async patch(path, { uid, resourceVersion }, change) {
      // Kubernetes refuses a patch whose uid or version is not the object's: 409 for both.
      const metadata = { ...change.metadata, uid, resourceVersion };
      return rest.call("PATCH", path, {
        body: { ...change, metadata },
        contentType: "application/merge-patch+json",
        signal,
      });
    },
    create: async (path, body) => rest.call("POST", path, { body, signal }),
    async remove(path, { uid, resourceVersion }) {
      await rest.call("DELETE", path, { body: { preconditions: { uid, resourceVersion } }, signal });
    },
  };
}

/** Path of a VolumeSnapshotContent, or of all. */
export function contentPath(name?: string): string {
  return name === undefined ? CONTENTS : `${CONTENTS}/${encodeURIComponent(name)}`;
}

/** Path of a VolumeSnapshot. */
export function snapshotPath({ namespace = "", name }: Pick<ObjectRef, "namespace" | "name">): string {
  const group = "/apis/snapshot.storage.k8s.io/v1";
  return `${group}/namespaces/${encodeURIComponent(namespace)}/volumesnapshots/${encodeURIComponent(name)}`;
}

/** Path of a PersistentVolumeClaim. */
export function claimPath({
  namespace,
  name,
}: {
  readonly namespace: string;
  readonly name: string;
}): string {
  return `/api/v1/namespaces/${encodeURIComponent(namespace)}/persistentvolumeclaims/${encodeURIComponent(name)}`;
}

/** Path of a PersistentVolume. */
export function volumePath(name: string): string {
  return `/api/v1/persistentvolumes/${encodeURIComponent(name)}`;
}

/** Path of a DataDownload. */
export function dataDownloadPath(ref: { readonly namespace: string; readonly name: string }): string {
  const group = "/apis/velero.io/v2alpha1";
  return `${group}/namespaces/${encodeURIComponent(ref.namespace)}/datadownloads/${encodeURIComponent(ref.name)}`;
}

/** Path of a Backup. */
export function backupPath({ namespace = "", name }: ObjectRef): string {
  return `/apis/velero.io/v1/namespaces/${encodeURIComponent(namespace)}/backups/${encodeURIComponent(name)}`;
}

/** Path of a DataUpload. */
export function dataUploadPath({ namespace = "", name }: ObjectRef): string {
  const group = "/apis/velero.io/v2alpha1";
  return `${group}/namespaces/${encodeURIComponent(namespace)}/datauploads/${encodeURIComponent(name)}`;
}

/** The metadata of an object that the API server answered with. */
export function metadataOf(answer: unknown): Metadata {
  return AnyObject.parse(answer).metadata;
}
