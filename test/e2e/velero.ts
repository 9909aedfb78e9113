import assert from "node:assert/strict";
import { setTimeout as sleep } from "node:timers/promises";
import { Refused } from "./api.ts";
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

const HEARD_MS = 250;

/** Deletes an original and keeps its storage snapshot, as the exposer does (Velero up to 1.13 before it clones). */
export async function deleteOriginal(api: Api, { snapshot, content }: Original): Promise<void> {
  await api.patch(content, { spec: { deletionPolicy: "Retain" } }, { as: VELERO });
  // Nothing tells whether the snapshot controller and the sidecar have heard of it: with the policy Delete still in mind
  // they would free the snapshot. Velero has the same race, and wins it on machines that are less busy than a test's.
  await sleep(HEARD_MS);
  await api.remove(snapshot, { as: VELERO });
  await eventually(`${snapshot.metadata.name} is gone`, async () =>
    assert.equal(await api.find(snapshot), undefined),
  );
  // The snapshot controller may still have the policy Delete in mind, and then deletes the object itself.
  await api.remove(content, { as: VELERO }).catch((error: unknown) => {
    if (!(error instanceof Refused && error.status === 404)) throw error;
  });
  await eventually(`${content.metadata.name} is gone`, async () =>
    assert.equal(await api.find(content), undefined),
  );
}

/** The name of a content, to read it by. */
export function aContent(name: string): Ref {
  return { apiVersion: "snapshot.storage.k8s.io/v1", kind: "VolumeSnapshotContent", metadata: { name } };
}
