import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import * as z from "zod";
import { availableBinaries } from "../cluster/availability.ts";
import type { Cluster } from "../cluster/cluster.ts";
import type { Api, Ref, Stored } from "./api.ts";
import { createVolume, deletionsOf, holds, startScene } from "./controller-scene.ts";
import type { Volume } from "./controller-scene.ts";
import { eventually } from "./eventually.ts";
import { aBackup, aName } from "./objects.ts";
import { beginBackup, endBackup, setPhase } from "./play.ts";
import type { Ending, Movement } from "./play.ts";
import type { Process, Product } from "./product.ts";
import { aContent, VELERO } from "./velero.ts";

/**
 * A newer Velero deletes the clone's content when it cleans up. Whoever is dead then, and for however long: no snapshot is
 * left without an object. That Velero is played, since no release has it.
 */
const { binaries, skip } = await availableBinaries("demo");

const HOLD = "snapshot-retainer.io/hold";
const RETAINED = "snapshot-retainer.io/retained";
const CONTENT = "VolumeSnapshotContent";

describe("the content of a newer Velero's clone", { skip, timeout: 600_000 }, () => {
  let cluster: Cluster;
  let api: Api;
  let product: Product;
  let controller: Process;

  before(async () => {
    ({ cluster, api, product } = await startScene(binaries, { snapshotsToRetain: 2 }));
    await startController();
  });
  after(async () => {
    await product.stop();
    await cluster.stop({ keep: process.env["KEEP"] === "1" });
  });

  test("is made again under its name, with a controller that is alive", async () => {
    const volume = await createVolume(api, "alive");
    const movement = await moved(volume, "completed");
    const content = await retainedContent(movement.handle);
    assert.equal(content.metadata.name, movement.upload.metadata.name);
    assert.deepEqual(content.metadata["finalizers"], [HOLD, BOUND_PROTECTION]);
    await holds(cluster, volume, [movement.handle]);
    await deleted(movement);
    await holds(cluster, volume, []);
    await nothingIsLeft(movement);
  });

  test("is freed when its upload failed, with a controller that is alive", async () => {
    const volume = await createVolume(api, "failed");
    const movement = await moved(volume, "failed");
    await holds(cluster, volume, []);
    await nothingIsLeft(movement);
  });

  test("waits for a controller that was dead at clean-up", async () => {
    const volume = await createVolume(api, "dead");
    const movement = await movedWithoutController(volume, "completed");
    await startController();
    await retainedContent(movement.handle);
    await holds(cluster, volume, [movement.handle]);
  });

  test("waits for one that was dead when the upload failed", async () => {
    const volume = await createVolume(api, "dead-failed");
    const movement = await movedWithoutController(volume, "failed");
    await startController();
    await holds(cluster, volume, []);
    await nothingIsLeft(movement);
  });

  test("waits for one that was dead until its DataUpload was gone too, and goes with its Backup", async () => {
    const volume = await createVolume(api, "long-dead");
    const movement = await movedWithoutController(volume, "completed");
    await removed(movement);
    // What Velero's sync brings back.
    const { name } = movement.backup.metadata;
    assert.ok(name !== undefined);
    const { object: synced } = await api.create(aBackup({ name, status: { phase: "Completed" } }));
    await startController();

    const content = await retainedContent(movement.handle);
    assert.notEqual(content.metadata.name, movement.upload.metadata.name);
    await gone(aContent(movement.upload.metadata.name));
    await holds(cluster, volume, [movement.handle]);
    await deleted({ ...movement, backup: synced });
    await holds(cluster, volume, []);
    await gone(content);
  });

  test("waits for one that was dead until nothing was left, and is there again", async () => {
    const volume = await createVolume(api, "all-gone");
    const movement = await movedWithoutController(volume, "completed");
    await removed(movement);
    await startController();
    // It stays until the sweep finds its Backup to be gone for good, which takes ten minutes.
    await eventually("it is there again", async () => {
      const [content] = await contentsOf(movement.handle);
      assert.ok(content !== undefined && !("deletionTimestamp" in content.metadata));
    });
    await gone(aContent(movement.upload.metadata.name));
    await holds(cluster, volume, [movement.handle]);
  });

  test("that is deleted by hand is there again, pinned as it was, whether a DataUpload is left or not", async () => {
    const volume = await createVolume(api, "by-hand");
    const movement = await moved(volume, "completed");
    const first = await retainedContent(movement.handle);
    await api.patch(first, { metadata: { labels: { "snapshot-retainer.io/pin": "true" } } });
    await api.remove(first);
    const second = await retainedContent(movement.handle, first);
    assert.equal(second.metadata.labels["snapshot-retainer.io/pin"], "true");
    await api.remove(movement.upload);
    await gone(movement.upload);
    await api.remove(second);
    const third = await retainedContent(movement.handle, second);
    assert.equal(third.metadata.labels["snapshot-retainer.io/pin"], "true");
    assert.notEqual(third.metadata.name, second.metadata.name);
    await holds(cluster, volume, [movement.handle]);
  });

  test("goes for good by hand, when its policy is set to Delete first", async () => {
    const volume = await createVolume(api, "for-good");
    const movement = await moved(volume, "completed");
    const content = await retainedContent(movement.handle);
    await api.patch(content, { spec: { deletionPolicy: "Delete" } });
    await api.remove(content);
    await holds(cluster, volume, []);
    await nothingIsLeft(movement);
    assert.equal(await deletionsOf(cluster, movement.handle), 1);
  });

  test("can be deleted by hand after an uninstallation, as the documentation says", async () => {
    const volume = await createVolume(api, "uninstalled");
    const movement = await moved(volume, "completed");
    const content = await retainedContent(movement.handle);
    await controller.stop();
    await cluster.kubectl([
      "patch",
      "volumesnapshotcontent",
      content.metadata.name,
      "--type=merge",
      `-p=${UNHELD}`,
    ]);
    await api.remove(content);
    await gone(content);
    await holds(cluster, volume, [movement.handle]);
    await startController();
  });

  async function startController(): Promise<void> {
    controller = await product.startController();
    await controller.ready();
    await eventually("somebody leads", async () => {
      const lease = await api.read(LEASE);
      assert.notEqual(lease.spec["holderIdentity"], "");
    });
  }

  /** A whole backup, at whose clean-up this Velero deletes the content as well. */
  async function moved(volume: Volume, ending: Ending): Promise<Movement> {
    const movement = await beginBackup(api, aName("b"), volume.claim);
    await cleanUp(movement, ending);
    return movement;
  }

  async function movedWithoutController(volume: Volume, ending: Ending): Promise<Movement> {
    const movement = await beginBackup(api, aName("b"), volume.claim);
    await controller.stop("SIGKILL");
    await cleanUp(movement, ending);
    return movement;
  }

  async function cleanUp(movement: Movement, ending: Ending): Promise<void> {
    const { name } = movement.upload.metadata;
    assert.equal((await api.read(aContent(name))).spec["deletionPolicy"], "Retain");
    await endBackup(api, movement, ending);
    await api.remove(aContent(name), { as: VELERO }).catch(() => undefined);
  }

  /** The Backup is deleted, as its owner asks for it. */
  async function deleted({ backup, upload }: Movement): Promise<void> {
    await setPhase(api, backup, "Deleting");
    await api.remove(upload, { as: VELERO }).catch(() => undefined);
  }

  /** The Backup object and what belongs to it are gone, without anybody seeing it. */
  async function removed({ backup, upload }: Movement): Promise<void> {
    await api.remove(backup, { as: VELERO });
    await api.remove(upload, { as: VELERO }).catch(() => undefined);
    await gone(upload);
  }

  async function contentsOf(handle: string): Promise<Stored[]> {
    const contents = await api.list("snapshot.storage.k8s.io/v1", CONTENT);
    return contents.filter(({ spec }) => Source.parse(spec["source"]).snapshotHandle === handle);
  }

  /** The only content of a snapshot, when it is retained and nobody has deleted it, and it is not that one. */
  async function retainedContent(handle: string, before?: Stored): Promise<Stored> {
    return eventually(`${handle} has its content`, async () => {
      const [content, ...others] = await contentsOf(handle);
      assert.ok(content !== undefined && others.length === 0);
      assert.equal(content.metadata.labels[RETAINED], "true");
      assert.ok(!("deletionTimestamp" in content.metadata));
      assert.notEqual(content.metadata.uid, before?.metadata.uid);
      assert.equal(content.status["readyToUse"], true);
      return content;
    });
  }

  async function nothingIsLeft({ handle }: Movement): Promise<void> {
    await eventually(`no content of ${handle} is left`, async () =>
      assert.deepEqual(await contentsOf(handle), []),
    );
  }

  async function gone(ref: Ref): Promise<void> {
    await eventually(`${ref.kind} ${ref.metadata.name ?? ""} is gone`, async () =>
      assert.equal(await api.find(ref), undefined),
    );
  }
});

const Source = z.object({ snapshotHandle: z.string().optional() });
const BOUND_PROTECTION = "snapshot.storage.kubernetes.io/volumesnapshotcontent-bound-protection";
const UNHELD = JSON.stringify({ metadata: { finalizers: [BOUND_PROTECTION] } });
const LEASE: Ref = {
  apiVersion: "coordination.k8s.io/v1",
  kind: "Lease",
  metadata: { name: "snapshot-retainer-controller", namespace: "snapshot-retainer" },
};
