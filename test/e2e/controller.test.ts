import assert from "node:assert/strict";
import { after, afterEach, before, describe, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import * as z from "zod";
import { availableBinaries } from "../cluster/availability.ts";
import type { Cluster } from "../cluster/cluster.ts";
import type { Api, Ref, Stored } from "./api.ts";
import { requestsOf } from "./audit.ts";
import {
  createVolume,
  deletionsOf,
  eventsOf,
  holds,
  isRecorded,
  snapshotsOf,
  somebodyLeads,
  startScene,
} from "./controller-scene.ts";
import type { Volume } from "./controller-scene.ts";
import { eventually } from "./eventually.ts";
import { readMetric } from "./metrics.ts";
import { aBackup, aName } from "./objects.ts";
import type { Manifest } from "./objects.ts";
import { anUpload, beginBackup, deleteBackup, endBackup, playBackup, setPhase } from "./play.ts";
import type { Ending, Movement } from "./play.ts";
import { CONTROLLER_ACCOUNT } from "./product.ts";
import type { Process, Product } from "./product.ts";
import { aContent, deleteOriginal, expose, takeSnapshot, VELERO } from "./velero.ts";

const { binaries, skip } = await availableBinaries("demo");

const DRIVER = "array.csi.snapshot-retainer.io";
const RETAINED = "snapshot-retainer.io/retained";
const PIN = "snapshot-retainer.io/pin";
const RECORD = "snapshot-retainer.io/retained-snapshot";
const LIMIT = "backup.velero.io/data-mover-snapshot-to-retain";
const ALIAS = "velero.io/snapshot-alias-name";
const VOLUME_NAME = "velero.io/snapshot-volume-name";
const KINDS = ["Backup", "DataUpload", "VolumeSnapshot", "VolumeSnapshotContent"];
const RELEASED = "snapshot-retainer.io/released";

const POLICY = { snapshotsToRetain: 2, ceilings: { drivers: { [DRIVER]: 10 } } };

describe("the controller", { skip, timeout: 600_000 }, () => {
  let cluster: Cluster;
  let api: Api;
  let product: Product;
  let controller: Process;

  before(async () => {
    ({ cluster, api, product } = await startScene(binaries, POLICY));
    controller = await product.startController();
    await controller.ready();
    await webhookSeesController();
  });
  after(async () => {
    await product.stop();
    await cluster.stop();
  });

  afterEach(async () => {
    await cluster.array.setLimit(32);
    await product.applyPolicy(POLICY);
  });

  /** Retains nothing for a controller that it has not seen. */
  async function webhookSeesController(): Promise<void> {
    await somebodyLeads(product);
  }

  async function play(volume: Volume, ending: Ending = "completed"): Promise<Movement> {
    return playBackup(api, { name: aName("b"), claim: volume.claim, ending, pauses: { copying } });
  }

  /** Copying takes a real mover minutes: time enough to be recorded. */
  async function copying({ upload }: Movement): Promise<void> {
    await isRecorded(api, upload);
  }

  function contentOf({ upload }: Movement): Ref {
    return aContent(upload.metadata.name);
  }

  async function isRetained(movement: Movement): Promise<Stored> {
    return eventually(`${movement.upload.metadata.name} is retained`, async () => {
      const content = await api.read(contentOf(movement));
      assert.equal(content.metadata.labels[RETAINED], "true");
      assert.equal(content.spec["deletionPolicy"], "Retain");
      return content;
    });
  }

  async function isGone(movement: Movement): Promise<void> {
    await eventually(`${movement.upload.metadata.name} is gone`, async () => {
      assert.equal(await api.find(contentOf(movement)), undefined);
    });
  }

  /** A marker of time without clocks: what is done for another volume comes after what would have been done here. */
  async function somethingElseHappens(): Promise<void> {
    await isRetained(await play(await createVolume(api, aName("other"))));
  }

  test("keeps what was copied, says so, and prunes to the number", async () => {
    const volume = await createVolume(api, "kept");
    const first = await play(volume);
    const content = await isRetained(first);
    assert.equal(content.metadata.labels["velero.io/snapshot-volume-name"], "shop.kept");

    const upload = await api.read(first.upload);
    assert.equal(upload.metadata.annotations[RECORD], first.upload.metadata.name);
    const { dataMoverResult } = upload.status;
    assert.ok(typeof dataMoverResult === "object" && dataMoverResult !== null);
    assert.partialDeepStrictEqual(dataMoverResult, {
      retainedSnapshot: first.upload.metadata.name,
      snapshotHandle: first.handle,
      driver: DRIVER,
      volumeHandle: volume.arrayVolume,
      volumeName: "shop.kept",
    });
    await eventually("there is an Event on the Backup", async () =>
      assert.ok((await eventsOf(api, first.backup)).includes("SnapshotRetained")),
    );

    await eventually("and on the claim", async () =>
      assert.ok((await eventsOf(api, volume.claim)).includes("SnapshotRetained")),
    );

    const second = await play(volume);
    const third = await play(volume);
    await holds(cluster, volume, [second.handle, third.handle]);
    await isGone(first);
    assert.equal((await api.read(first.upload)).metadata.annotations[RELEASED], "making_room");
    const fourth = await play(volume);
    await holds(cluster, volume, [third.handle, fourth.handle]);
    await eventually("there is an Event of the pruning", async () =>
      assert.ok((await eventsOf(api, first.backup)).includes("SnapshotFreed")),
    );
    await eventually("metrics count them", async () => {
      const retained = await readMetric([controller], "snapshot_retainer_retained_snapshots", {
        driver: DRIVER,
      });
      assert.ok(retained >= 2);
      const freed = await readMetric([controller], "snapshot_retainer_frees_total", {
        reason: "making_room",
      });
      assert.ok(freed >= 2);
    });
  });

  test("a storage whose hard limit is the number refuses nothing", async () => {
    const volume = await createVolume(api, "tight");
    await cluster.array.setLimit(2);
    const before = (await cluster.array.state()).refused;
    const handles: string[] = [];
    for (let count = 0; count < 5; count++) {
      handles.push((await play(volume)).handle);
      await holds(cluster, volume, handles.slice(-2));
    }
    assert.equal((await cluster.array.state()).refused, before);
  });

  test("reads nothing while nothing happens: only watches, and the renewal of its Lease", async () => {
    await somethingElseHappens();
    // What follows from that is over within a second or two; then two renewals come within these ten.
    await sleep(3_000);
    const before = (await requestsOf(cluster, CONTROLLER_ACCOUNT)).length;
    await sleep(11_000);
    const requests = (await requestsOf(cluster, CONTROLLER_ACCOUNT)).slice(before);
    const others = requests.filter((request) => !request.startsWith("watch "));
    assert.deepEqual([...new Set(others)], ["patch leases"]);
  });

  for (const ending of ["failed", "canceled", "backup-failed"] as const) {
    test(`frees what ended ${ending}`, async () => {
      const volume = await createVolume(api, `ended-${ending}`);
      const kept = await play(volume);
      await isRetained(kept);
      const lost = await play(volume, ending);
      await isGone(lost);
      await holds(cluster, volume, [kept.handle]);
    });
  }

  test("frees a failed upload whose VolumeSnapshot Velero never deleted", async () => {
    const volume = await createVolume(api, "left-behind");
    const movement = await beginBackup(api, aName("b"), volume.claim);
    const completionTimestamp = new Date(Date.now() - 60_000).toISOString();
    await api.patch(movement.upload, { status: { phase: "Failed", completionTimestamp } }, { as: VELERO });
    await isGone(movement);
    await holds(cluster, volume, []);
    const snapshot = { apiVersion: "snapshot.storage.k8s.io/v1", kind: "VolumeSnapshot" };
    const { name } = movement.upload.metadata;
    await eventually("the VolumeSnapshot is gone", async () =>
      assert.equal(await api.find({ ...snapshot, metadata: { name, namespace: "velero" } }), undefined),
    );
  });

  test("makes a content again that somebody deleted: the snapshot stayed, and goes by the number later", async () => {
    const volume = await createVolume(api, "by-hand");
    const movement = await play(volume);
    const before = await isRetained(movement);

    await api.remove(contentOf(movement));

    const again = await eventually("it is there again", async () => {
      const content = await api.read(contentOf(movement));
      assert.notEqual(content.metadata.uid, before.metadata.uid);
      assert.equal(content.metadata.labels[RETAINED], "true");
      assert.equal(content.status["readyToUse"], true);
      return content;
    });
    assert.deepEqual(again.spec["source"], { snapshotHandle: movement.handle });
    assert.equal(again.metadata.labels["velero.io/exclude-from-backup"], "true");
    for (const key of ["velero.io/snapshot-alias-name", "velero.io/snapshot-volume-name"]) {
      assert.equal(again.metadata.labels[key], before.metadata.labels[key]);
    }
    const others = [await play(volume), await play(volume)];
    await holds(
      cluster,
      volume,
      others.map(({ handle }) => handle),
    );
  });

  test("makes a content again that a newer Velero deletes at clean-up", async () => {
    const volume = await createVolume(api, "newer-velero");
    const movement = await beginBackup(api, aName("b"), volume.claim);
    await copying(movement);
    const { name } = movement.upload.metadata;
    const snapshot = { apiVersion: "snapshot.storage.k8s.io/v1", kind: "VolumeSnapshot" };
    await api.remove({ ...snapshot, metadata: { name, namespace: "velero" } }, { as: VELERO });
    await api.remove(contentOf(movement), { as: VELERO });
    await setPhase(api, movement.upload, "Completed");
    await setPhase(api, movement.backup, "Completed");
    await isRetained(movement);
    await holds(cluster, volume, [movement.handle]);
  });

  test("a content that is deleted with the policy Delete goes for good", async () => {
    const volume = await createVolume(api, "for-good");
    const movement = await play(volume);
    await isRetained(movement);
    await api.patch(contentOf(movement), { spec: { deletionPolicy: "Delete" } });
    await api.remove(contentOf(movement));
    await holds(cluster, volume, []);
    await somethingElseHappens();
    await isGone(movement);
  });

  test("a deleted Backup takes its snapshots along, and a Backup that is merely gone does not", async () => {
    const volume = await createVolume(api, "deleted");
    const [deleted, gone] = [await play(volume), await play(volume)];
    await Promise.all([isRetained(deleted), isRetained(gone)]);

    await api.remove(gone.backup);
    await deleteBackup(api, deleted.backup, async () => holds(cluster, volume, [gone.handle]));

    await somethingElseHappens();
    await holds(cluster, volume, [gone.handle]);
    await isRetained(gone);
  });

  test("a DeleteBackupRequest in progress is enough", async () => {
    const volume = await createVolume(api, "requested");
    const movement = await play(volume);
    await isRetained(movement);
    const request: Manifest = {
      apiVersion: "velero.io/v1",
      kind: "DeleteBackupRequest",
      metadata: { name: aName("delete"), namespace: "velero" },
      spec: { backupName: movement.backup.metadata.name },
    };
    const { object } = await api.create(request);
    await api.patch(object, { status: { phase: "InProgress" } }, { as: VELERO });
    await holds(cluster, volume, []);
  });

  test("a lower number prunes, a higher one brings nothing back and loses nothing", async () => {
    const volume = await createVolume(api, "lowered");
    const [old, young] = [await play(volume), await play(volume)];
    await Promise.all([isRetained(old), isRetained(young)]);
    await product.applyPolicy({ ...POLICY, rules: [aRule("lowered", 1)] });
    await holds(cluster, volume, [young.handle]);
    await product.applyPolicy(POLICY);
    await somethingElseHappens();
    await holds(cluster, volume, [young.handle]);
  });

  test("audit does nothing; paused deletes nothing; enforce makes up for both", async () => {
    const volume = await createVolume(api, "modes");
    const [first, second] = [await play(volume), await play(volume)];
    await Promise.all([isRetained(first), isRetained(second)]);

    await product.applyPolicy({ ...POLICY, mode: "audit", rules: [aRule("modes", 1)] });
    const unseen = await playBackup(api, { name: aName("b"), claim: volume.claim, ending: "completed" });
    assert.equal((await api.find(contentOf(unseen)))?.metadata.labels[RETAINED], undefined);
    assert.ok((await snapshotsOf(cluster, volume)).includes(first.handle));

    await product.applyPolicy({ ...POLICY, mode: "paused", rules: [aRule("modes", 1)] });
    // More than its number already, and nobody may free any: what comes now is left to Velero.
    await playBackup(api, { name: aName("b"), claim: volume.claim, ending: "completed" });
    await somethingElseHappens();
    await holds(cluster, volume, [first.handle, second.handle]);

    await product.applyPolicy({ ...POLICY, rules: [aRule("modes", 1)] });
    await holds(cluster, volume, [second.handle]);
  });

  test("never prunes a pinned one; it counts", async () => {
    const volume = await createVolume(api, "pinned");
    const first = await play(volume);
    await isRetained(first);
    await api.patch(contentOf(first), { metadata: { labels: { [PIN]: "true" } } });
    const second = await play(volume);
    const third = await play(volume);
    await holds(cluster, volume, [first.handle, third.handle]);
    await isGone(second);
    await api.patch(contentOf(first), { metadata: { labels: { [PIN]: null } } });
    const fourth = await play(volume);
    await holds(cluster, volume, [third.handle, fourth.handle]);
  });

  test("never prunes the source of a claim that is not bound yet", async () => {
    const volume = await createVolume(api, "source");
    const first = await play(volume);
    const content = await isRetained(first);
    const restore = await beginRestore(content);
    const [second, third] = [await play(volume), await play(volume)];
    await holds(cluster, volume, [first.handle, third.handle]);
    await isGone(second);
    for (const ref of restore) await api.remove(ref);
    const fourth = await play(volume);
    await holds(cluster, volume, [third.handle, fourth.handle]);
  });

  /** A claim that waits for its first consumer, from a snapshot of the content's handle; what to delete, in order. */
  async function beginRestore(content: Stored): Promise<Ref[]> {
    const name = aName("restore");
    const metadata = { name, namespace: "shop" };
    const group = { apiVersion: "snapshot.storage.k8s.io/v1" };
    const storageClass = { apiVersion: "storage.k8s.io/v1", kind: "StorageClass", metadata: { name } };
    await cluster.kubectl(["create", "-f", "-"], {
      stdin: JSON.stringify({
        ...storageClass,
        provisioner: DRIVER,
        volumeBindingMode: "WaitForFirstConsumer",
      }),
    });
    const { driver, source, volumeSnapshotClassName } = content.spec;
    const own: Manifest = {
      ...group,
      kind: "VolumeSnapshotContent",
      metadata: { name },
      spec: {
        driver,
        source,
        volumeSnapshotClassName,
        deletionPolicy: "Retain",
        volumeSnapshotRef: metadata,
      },
    };
    const snapshot: Manifest = {
      ...group,
      kind: "VolumeSnapshot",
      metadata,
      spec: { source: { volumeSnapshotContentName: name } },
    };
    const claim: Manifest = {
      apiVersion: "v1",
      kind: "PersistentVolumeClaim",
      metadata,
      spec: {
        accessModes: ["ReadWriteOnce"],
        storageClassName: name,
        resources: { requests: { storage: "1Gi" } },
        dataSource: { apiGroup: "snapshot.storage.k8s.io", kind: "VolumeSnapshot", name },
      },
    };
    for (const manifest of [own, snapshot, claim]) await api.create(manifest);
    await eventually("the snapshot is bound", async () =>
      assert.equal((await api.read(snapshot)).status["readyToUse"], true),
    );
    return [claim, snapshot, own];
  }

  test("killed in the middle and started again, it makes up for what it missed", async () => {
    const volume = await createVolume(api, "killed");
    const [old, kept] = [await play(volume), await play(volume)];
    await Promise.all([isRetained(old), isRetained(kept)]);
    const failed = await beginBackup(api, aName("b"), volume.claim);
    await copying(failed);

    await controller.stop("SIGKILL");
    await endBackup(api, failed, "failed");
    await product.applyPolicy({ ...POLICY, rules: [aRule("killed", 1)] });
    controller = await product.startController();
    await controller.ready();

    await isGone(failed);
    await holds(cluster, volume, [kept.handle]);
    await webhookSeesController();
  });

  test("without a webhook it protects, labels, keeps and prunes by itself", async () => {
    const volume = await createVolume(api, "alone");
    const [webhook] = product.running();
    await webhook?.stop();
    const handles: string[] = [];
    for (let count = 0; count < 3; count++) {
      const movement = await play(volume);
      const { metadata } = await isRetained(movement);
      assert.equal(metadata.labels["velero.io/snapshot-volume-name"], "shop.alone");
      handles.push(movement.handle);
    }
    await holds(cluster, volume, handles.slice(-2));
    await (await product.startReplica()).ready();
  });

  test("what slipped through while there was no webhook is found and mended, and counted", async () => {
    const volume = await createVolume(api, "slipped");
    const [webhook] = product.running();
    await webhook?.stop();
    const before = await mendedByKind();

    const { object: backup } = await api.create(aBackup({ name: aName("b") }));
    await setPhase(api, backup, "InProgress");
    await eventually("the Backup has its number", async () =>
      assert.equal((await api.read(backup)).metadata.annotations[LIMIT], "2"),
    );
    const original = await takeSnapshot(api, volume.claim, backup.metadata.name);
    const asked = anUpload(volume.claim, original.snapshot, backup);
    const { object: upload } = await api.create(asked, { as: VELERO });
    const alias = await eventually("the DataUpload is labelled", async () => {
      const { labels, annotations } = (await api.read(upload)).metadata;
      assert.equal(labels[VOLUME_NAME], "shop.slipped");
      assert.equal(annotations["snapshot-retainer.io/retain"], "true");
      assert.equal(annotations["snapshot-retainer.io/limit"], "2");
      return labels[ALIAS];
    });
    assert.ok(alias !== undefined && alias !== "");
    for (const object of [original.snapshot, original.content]) {
      await eventually(`the original ${object.kind} is labelled`, async () => {
        const { labels } = (await api.read(object)).metadata;
        assert.deepEqual([labels[ALIAS], labels[VOLUME_NAME]], [alias, "shop.slipped"]);
      });
    }
    await setPhase(api, upload, "Accepted");
    const seen = { snapshot: await api.read(original.snapshot), content: await api.read(original.content) };
    const clone = await expose(api, seen, upload.metadata.name);
    await setPhase(api, upload, "InProgress");
    for (const { object } of [clone.snapshot, clone.content]) {
      await eventually(`the clone's ${object.kind} is labelled`, async () =>
        assert.equal((await api.read(object)).metadata.labels[ALIAS], alias),
      );
    }
    await deleteOriginal(api, seen);
    await isRecorded(api, upload);
    const handle = original.content.status["snapshotHandle"];
    assert.ok(typeof handle === "string");
    const movement = { backup, upload, handle };
    await endBackup(api, movement, "completed");
    await isRetained(movement);
    await holds(cluster, volume, [handle]);

    const after = await mendedByKind();
    const counted = KINDS.map((kind, index) => [kind, (after[index] ?? 0) > (before[index] ?? 0)]);
    assert.deepEqual(
      counted,
      KINDS.map((kind) => [kind, true]),
    );
    await (await product.startReplica()).ready();
  });

  async function mendedByKind(): Promise<number[]> {
    return Promise.all(
      KINDS.map(async (kind) => readMetric([controller], "snapshot_retainer_mended_total", { kind })),
    );
  }

  test("two controllers: a leader that stood still in the middle of its work does nothing twice", async () => {
    const volumes = await Promise.all(
      ["two-a", "two-b", "two-c", "two-d"].map(async (name) => createVolume(api, name)),
    );
    const played = await Promise.all(volumes.map(async (volume) => [await play(volume), await play(volume)]));
    const all = played.flat();
    await Promise.all(all.map(isRetained));
    const second = await product.startController();
    await second.ready();

    await applyPolicyUnseen({ ...POLICY, rules: volumes.map(({ claim }) => aRule(claim.metadata.name, 0)) });
    await eventually("it has begun", async () => {
      const counts = await Promise.all(all.map(async ({ handle }) => deletionsOf(cluster, handle)));
      assert.ok(counts.some((count) => count > 0));
    });
    controller.process.kill("SIGSTOP");
    for (const volume of volumes) await holds(cluster, volume, []);

    // What the one that stood still may still have in mind would take this one, too.
    await applyPolicyUnseen(POLICY);
    await eventually("the other one leads", async () =>
      assert.equal(await readMetric([second], "snapshot_retainer_leader"), 1),
    );
    const [volume] = volumes;
    assert.ok(volume !== undefined);
    const next = await play(volume);
    await isRetained(next);
    controller.process.kill("SIGCONT");

    await somethingElseHappens();
    await eventually("it stands by", async () =>
      assert.equal(await readMetric([controller], "snapshot_retainer_leader"), 0),
    );
    await holds(cluster, volume, [next.handle]);
    for (const { handle } of all) assert.equal(await deletionsOf(cluster, handle), 1, handle);
    await controller.stop();
    controller = second;
  });

  /** Where a stopped process cannot tell that it has loaded it. */
  async function applyPolicyUnseen(policy: object): Promise<void> {
    const document = { apiVersion: "snapshot-retainer.io/v1alpha1", kind: "RetentionPolicy", ...policy };
    const metadata = { name: "snapshot-retainer-policy", namespace: "snapshot-retainer" };
    await api.patch(
      { apiVersion: "v1", kind: "ConfigMap", metadata },
      { data: { "policy.yaml": JSON.stringify(document) } },
    );
  }

  test("without its rights it frees nothing and says so, and makes up for it when it has them back", async () => {
    const volume = await createVolume(api, "forbidden");
    const [old, kept] = [await play(volume), await play(volume)];
    await Promise.all([isRetained(old), isRetained(kept)]);
    const binding = "clusterrolebinding/snapshot-retainer-controller";
    const { stdout } = await cluster.kubectl(["get", binding, "-o", "json"]);
    await cluster.kubectl(["delete", binding]);

    await product.applyPolicy({ ...POLICY, rules: [aRule("forbidden", 1)] });
    await eventually("it fails, or sees nothing", async () => {
      const failures = await readMetric([controller], "snapshot_retainer_action_failures_total");
      const blind = await readMetric([controller], "snapshot_retainer_watch_errors_total");
      assert.ok(failures + blind > 0);
    });
    await holds(cluster, volume, [old.handle, kept.handle]);

    const { metadata, ...rest } = Binding.parse(JSON.parse(stdout));
    const restored = { ...rest, metadata };
    await cluster.kubectl(["create", "-f", "-"], { stdin: JSON.stringify(restored) });
    await holds(cluster, volume, [kept.handle]);
  });

  test("an API server that restarts costs nothing but time", async () => {
    const volume = await createVolume(api, "restart");
    const [old, kept] = [await play(volume), await play(volume)];
    await Promise.all([isRetained(old), isRetained(kept)]);
    await cluster.startComponent("kube-apiserver");
    await product.applyPolicy({ ...POLICY, rules: [aRule("restart", 1)] });
    await holds(cluster, volume, [kept.handle]);
    assert.equal(await deletionsOf(cluster, old.handle), 1);
  });
});

/** What of a binding makes it again. */
const Binding = z.looseObject({
  metadata: z.object({ name: z.string(), labels: z.record(z.string(), z.string()) }),
});

/** A rule for one claim of the namespace `shop`, by its label. */
function aRule(claim: string, snapshotsToRetain: number): object {
  return { name: claim, when: { pvcLabels: { "shop/claim": claim } }, snapshotsToRetain };
}
