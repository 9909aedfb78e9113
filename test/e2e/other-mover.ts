import assert from "node:assert/strict";
import { setTimeout as sleep } from "node:timers/promises";
import * as z from "zod";
import type { Api, Stored } from "./api.ts";
import { eventually } from "./eventually.ts";
import { aCloneContent, aCloneSnapshot, aName } from "./objects.ts";
import type { Manifest } from "./objects.ts";
import { uploadsOf } from "./real-velero.ts";
import { aContent } from "./velero.ts";

/** As which a third party's data mover makes requests; it has to be among the policy's data movers. */
const MOVER = "system:serviceaccount:acme-mover:mover";
const NAMESPACE = "acme-mover";

/**
 * Plays a data mover that is not Velero's for the only upload of a Backup: takes the original away first, and only then
 * makes clones, under names of its own and with nothing of the original on them.
 */
export async function playOtherMover(api: Api, backup: string): Promise<void> {
  await establish(api);
  const upload = await eventually(`there is an upload of ${backup}`, async () => {
    const [found] = await uploadsOf(api, backup);
    assert.ok(found);
    return found;
  });
  const original = await readOriginal(api, upload);
  await api.patch(upload, { status: { phase: "InProgress" } }, { as: MOVER });
  await api.patch(original.content, { spec: { deletionPolicy: "Retain" } }, { as: MOVER });
  // The snapshot controller has to hear of Retain first, or it deletes by the policy that it still has in mind.
  await sleep(1_000);
  for (const each of [original.snapshot, original.content]) {
    await api.remove(each, { as: MOVER });
    await eventually(`${each.metadata.name} is gone`, async () =>
      assert.equal(await api.find(each), undefined),
    );
  }
  const snapshot = await clone(api, original.content);
  await api.remove(snapshot, { as: MOVER });
  // Whole seconds, as Kubernetes' own times are.
  const completionTimestamp = new Date().toISOString().replace(/\.\d+Z$/, "Z");
  const done = { phase: "Completed", snapshotID: aName("acme"), completionTimestamp };
  await api.patch(upload, { status: done }, { as: MOVER });
}

async function clone(api: Api, original: Stored): Promise<Stored> {
  const name = aName("acme");
  const { object: snapshot } = await api.create(aCloneSnapshot({ name, namespace: NAMESPACE }), {
    as: MOVER,
  });
  await api.create(aCloneContent({ name, of: original, ref: snapshot }), { as: MOVER });
  return eventually(`${name} can be read from`, async () => {
    const content = await api.read(aContent(name));
    assert.equal(content.status["readyToUse"], true);
    // Copying takes a real one minutes: time enough for the controller, where the webhook was too slow to be waited for.
    assert.equal(content.spec["deletionPolicy"], "Retain");
    const now = await api.read(snapshot);
    assert.equal(now.status["readyToUse"], true);
    return now;
  });
}

async function readOriginal(
  api: Api,
  { spec }: Stored,
): Promise<{ readonly snapshot: Stored; readonly content: Stored }> {
  const { csiSnapshot, sourceNamespace: namespace } = UploadSpec.parse(spec);
  const snapshot = await api.read({
    apiVersion: "snapshot.storage.k8s.io/v1",
    kind: "VolumeSnapshot",
    metadata: { name: csiSnapshot.volumeSnapshot, namespace },
  });
  const bound = z.string().parse(snapshot.status["boundVolumeSnapshotContentName"]);
  return { snapshot, content: await api.read(aContent(bound)) };
}

const UploadSpec = z.object({
  csiSnapshot: z.object({ volumeSnapshot: z.string() }),
  sourceNamespace: z.string(),
});

/** Its namespace, account and rights, unless they are there. */
async function establish(api: Api): Promise<void> {
  const namespace = { apiVersion: "v1", kind: "Namespace", metadata: { name: NAMESPACE } };
  if ((await api.find(namespace)) !== undefined) return;
  await api.create(namespace);
  const binding: Manifest = {
    apiVersion: "rbac.authorization.k8s.io/v1",
    kind: "ClusterRoleBinding",
    metadata: { name: "acme-mover" },
    subjects: [{ kind: "ServiceAccount", name: "mover", namespace: NAMESPACE }],
    roleRef: { apiGroup: "rbac.authorization.k8s.io", kind: "ClusterRole", name: "cluster-admin" },
  };
  await api.create(binding);
}
