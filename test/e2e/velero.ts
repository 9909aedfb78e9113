import assert from "node:assert/strict";
import type { Answer, Api, Ref, Stored } from "./api.ts";
import { eventually } from "./eventually.ts";
import { aCloneContent, aCloneSnapshot, aDataUpload, aVolumeSnapshot } from "./objects.ts";

/** Under which Velero's server, plugins and node-agent make requests. */
export const VELERO = "system:serviceaccount:velero:velero";

/** An original: Velero's VolumeSnapshot and the content that the snapshot controller made for it. */
export interface Original {
  readonly snapshot: Stored;
  readonly content: Stored;
}

/** Takes a snapshot as Velero's CSI plugin does, and waits as it does until the content has a handle. */
export async function takeSnapshot(api: Api, claim: Stored, backup: string): Promise<Original> {
  const { object } = await api.create(aVolumeSnapshot({ claim, backup }), { as: VELERO });
  return eventually(`${object.metadata.name} has a handle and is ready`, async () => {
    const snapshot = await api.read(object);
    const bound = snapshot.status["boundVolumeSnapshotContentName"];
    assert.ok(typeof bound === "string" && snapshot.status["readyToUse"] === true);
    const content = await api.read(aContent(bound));
    assert.ok(typeof content.status["snapshotHandle"] === "string");
    return { snapshot, content };
  });
}

/** Tells the node-agents to move the snapshot's data, as Velero's CSI plugin does. */
export async function requestUpload(api: Api, claim: Ref, snapshot: Stored, backup: string): Promise<Answer> {
  const upload = aDataUpload({ backup, claim, snapshot: snapshot.metadata.name });
  return api.create(upload, { as: VELERO });
}

/** Clones an original as the exposer does: annotations verbatim, and of the labels only the one that Velero copies. */
export async function expose(
  api: Api,
  { snapshot, content }: Original,
  name: string,
): Promise<{ readonly snapshot: Answer; readonly content: Answer }> {
  const made = await api.create(aCloneSnapshot({ name, annotations: snapshot.metadata.annotations }), {
    as: VELERO,
  });
  const { annotations } = content.metadata;
  return {
    snapshot: made,
    content: await api.create(aCloneContent({ name, of: content, ref: made.object, annotations }), {
      as: VELERO,
    }),
  };
}

/**
 * Sets an original to Retain as a data mover does before it deletes it, and waits until the snapshot controller has heard
 * of it: with the policy Delete still in mind it would free the snapshot. A mover has the same race, and wins it on machines
 * that are less busy than a test's. The controller puts its finalizer back on what it has seen, so it is taken away.
 */
export async function retainOriginal(api: Api, content: Stored, account: string): Promise<void> {
  const change = { metadata: { finalizers: null }, spec: { deletionPolicy: "Retain" } };
  await api.patch(content, change, { as: account });
  await eventually(`the snapshot controller has heard of ${content.metadata.name}`, async () => {
    const { metadata } = await api.read(content);
    assert.notDeepEqual(metadata["finalizers"] ?? [], []);
  });
}

/** Deletes an original and keeps its storage snapshot, as the exposer does (Velero up to 1.13 before it clones). */
export async function deleteOriginal(api: Api, { snapshot, content }: Original): Promise<void> {
  await retainOriginal(api, content, VELERO);
  await api.remove(snapshot, { as: VELERO });
  await eventually(`${snapshot.metadata.name} is gone`, async () =>
    assert.equal(await api.find(snapshot), undefined),
  );
  await api.remove(content, { as: VELERO });
  await eventually(`${content.metadata.name} is gone`, async () =>
    assert.equal(await api.find(content), undefined),
  );
}

/** The name of a content, to read it by. */
export function aContent(name: string): Ref {
  return { apiVersion: "snapshot.storage.k8s.io/v1", kind: "VolumeSnapshotContent", metadata: { name } };
}
