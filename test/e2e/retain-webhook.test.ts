import assert from "node:assert/strict";
import { after, afterEach, before, describe, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import * as z from "zod";
import { availableBinaries } from "../cluster/availability.ts";
import { startCluster } from "../cluster/cluster.ts";
import type { Cluster } from "../cluster/cluster.ts";
import { createApi } from "./api.ts";
import type { Answer, Api, Stored } from "./api.ts";
import { auditOf } from "./audit.ts";
import { createVolume, holds, snapshotsOf } from "./controller-scene.ts";
import type { Volume } from "./controller-scene.ts";
import { grantAll, startControllerStandIn } from "./controller-stand-in.ts";
import type { ControllerStandIn } from "./controller-stand-in.ts";
import { eventually } from "./eventually.ts";
import { aBackup, aCloneContent, aName, aTemporaryContent, aVolumeSnapshot } from "./objects.ts";
import { installProduct, NAMESPACE } from "./product.ts";
import type { Product } from "./product.ts";
import { startSecondWebhook } from "./second-webhook.ts";
import { aContent, deleteOriginal, expose, requestUpload, takeSnapshot, VELERO } from "./velero.ts";
import type { Original } from "./velero.ts";

const { binaries, skip } = await availableBinaries("demo");

const MOVER = "system:serviceaccount:acme-mover:mover";
const GROUP = "groupsnapshot.storage.k8s.io/volumeGroupSnapshotHandle";
const POLICY = {
  snapshotsToRetain: 2,
  ceilings: { drivers: { "array.csi.snapshot-retainer.io": 10 } },
  waitForRoom: "5s",
  dataMovers: { accounts: [MOVER] },
};

const Document = z.object({ snapshot: z.record(z.string(), z.string()) });
const Source = z.object({ snapshotHandle: z.string() });

const SETUP = `
apiVersion: v1
kind: Namespace
metadata: { name: shop }
---
apiVersion: v1
kind: Namespace
metadata: { name: acme-mover }
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: { name: mover }
rules:
  - { apiGroups: [snapshot.storage.k8s.io], resources: [volumesnapshots, volumesnapshotcontents], verbs: ["*"] }
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: { name: mover }
roleRef: { apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: mover }
subjects: [{ kind: ServiceAccount, name: mover, namespace: acme-mover }]
`;

describe("the webhook's part of retention on a real control plane", { skip, timeout: 280_000 }, () => {
  let cluster: Cluster;
  let api: Api;
  let product: Product;
  let controller: ControllerStandIn;

  before(async () => {
    cluster = await startCluster(binaries === undefined ? {} : { binaries });
    api = await createApi(cluster);
    await cluster.kubectl(["apply", "-f", "-"], { stdin: SETUP });
    await cluster.kubectl(["create", "namespace", NAMESPACE], { allowFailure: true });
    controller = await startControllerStandIn(api);
    product = await installProduct(cluster, { policy: POLICY });
  });

  after(async () => {
    await controller.stop();
    await product.stop();
    await cluster.stop();
  });

  afterEach(async () => {
    controller.answer(grantAll);
    await controller.forget();
  });

  async function aStoredBackup(): Promise<string> {
    return (await api.create(aBackup())).object.metadata.name;
  }

  /** An original with its DataUpload, up to where a data mover takes over. */
  async function uploading(
    volume: Volume,
    change: (upload: Stored) => object | undefined = () => undefined,
  ): Promise<{ readonly original: Original; readonly upload: Stored }> {
    const backup = await aStoredBackup();
    const original = await takeSnapshot(api, volume.claim, backup);
    const { object } = await requestUpload(api, volume.claim, original.snapshot, backup);
    const changed = change(object);
    const upload = changed === undefined ? object : (await api.patch(object, changed, { as: VELERO })).object;
    return { original, upload };
  }

  /** A snapshot that stays on the array after its upload, as Velero leaves it. */
  async function retain(volume: Volume): Promise<Stored> {
    const { original, upload } = await uploading(volume);
    const clone = await expose(api, original, upload.metadata.name);
    await deleteOriginal(api, original);
    await api.remove(clone.snapshot.object, { as: VELERO });
    return clone.content.object;
  }

  describe("a clone's content", () => {
    let volume: Volume;

    before(async () => {
      volume = await createVolume(api, "cloned");
    });

    async function clonedOf(
      change?: (upload: Stored) => object | undefined,
      seen: () => Promise<void> = async () => undefined,
    ): Promise<Answer> {
      const { original, upload } = await uploading(volume, change);
      await seen();
      return (await expose(api, original, upload.metadata.name)).content;
    }

    async function assertPolicy(answer: Answer, policy: string, code: string): Promise<void> {
      assert.equal(answer.object.spec["deletionPolicy"], policy);
      assert.equal((await auditOf(cluster, answer.auditId)).ours["code"], code);
    }

    test("outlives Velero's clean-up, and so does its snapshot", async () => {
      const kept = await createVolume(api, "kept");
      const { original, upload } = await uploading(kept);
      const clone = await expose(api, original, upload.metadata.name);
      await assertPolicy(clone.content, "Retain", "retain_set");
      const { snapshotHandle } = original.content.status;
      await deleteOriginal(api, original);
      await api.remove(clone.snapshot.object, { as: VELERO });
      await eventually("the clone's VolumeSnapshot is gone", async () =>
        assert.equal(await api.find(clone.snapshot.object), undefined),
      );
      await holds(cluster, kept, [z.string().parse(snapshotHandle)]);
      const content = await api.read(clone.content.object);
      assert.equal(content.metadata.labels["velero.io/snapshot-volume-name"], "shop.kept");
    });

    test("says in its document which snapshot of which volume of the array it is", async () => {
      const { object } = await clonedOf();
      const { snapshot } = Document.parse(
        JSON.parse(object.metadata.annotations["snapshot-retainer.io/inherited"] ?? ""),
      );
      assert.deepEqual(snapshot, {
        driver: "array.csi.snapshot-retainer.io",
        handle: Source.parse(object.spec["source"]).snapshotHandle,
        volumeHandle: volume.arrayVolume,
      });
    });

    test("stays Delete when its upload has failed", async () => {
      const phase = { status: { phase: "Failed" } };
      // The webhook learns of the phase from its watch: a second of it is plenty.
      const clone = await clonedOf(
        () => phase,
        async () => sleep(1_000),
      );
      await assertPolicy(clone, "Delete", "retain_refused");
      assert.match(clone.warnings.join(), /not retained: the DataUpload is Failed already/);
    });

    test("stays Delete when it is a member of a group", async () => {
      const { original, upload } = await uploading(volume);
      const { content } = original;
      const annotations = { ...content.metadata.annotations, [GROUP]: "group-1" };
      const ofGroup = {
        ...original,
        content: { ...content, metadata: { ...content.metadata, annotations } },
      };
      const clone = await expose(api, ofGroup, upload.metadata.name);
      await assertPolicy(clone.content, "Delete", "retain_refused");
    });

    test("stays Delete when nobody wants it retained", async () => {
      const { original } = await uploading(volume);
      const clone = await expose(api, original, aName("no-upload"));
      await assertPolicy(clone.content, "Delete", "inherited");
    });

    test("that Velero makes to delete a backup's snapshot stays Delete", async () => {
      const { original } = await uploading(volume);
      const { object } = await api.create(aTemporaryContent(original.content), { as: VELERO });
      assert.equal(object.spec["deletionPolicy"], "Delete");
    });

    test("of another data mover is Retain, under any name, when the original is long gone", async () => {
      const { original } = await uploading(volume, () => ({ spec: { datamover: "acme" } }));
      const { snapshotHandle } = original.content.status;
      await deleteOriginal(api, original);
      const name = aName("acme-clone");
      const bare = { ...original.content, status: { snapshotHandle: snapshotHandle ?? "" } };
      const ref = { namespace: "acme-mover", name };
      const clone = await eventually("the webhook knows the DataUpload", async () =>
        api.create(aCloneContent({ name, of: bare, ref }), { as: MOVER }),
      );
      await assertPolicy(clone, "Retain", "retain_set");
    });

    const policies: Record<string, { policy: object; want: string; code: string }> = {
      "stays Delete under a policy that is paused": {
        policy: { mode: "paused" },
        want: "Delete",
        code: "retain_refused",
      },
      "stays Delete under a policy that only watches": {
        policy: { mode: "audit" },
        want: "Delete",
        code: "audit:retain_set",
      },
      "stays Delete with a number of none": {
        policy: { snapshotsToRetain: 0 },
        want: "Delete",
        code: "inherited",
      },
    };
    for (const [name, { policy, want, code }] of Object.entries(policies)) {
      test(name, async () => {
        const uploads = "snapshotsToRetain" in policy ? undefined : await uploading(volume);
        await product.applyPolicy({ ...POLICY, ...policy });
        try {
          const { original, upload } = uploads ?? (await uploading(volume));
          const clone = await expose(api, original, upload.metadata.name);
          await assertPolicy(clone.content, want, code);
        } finally {
          await product.applyPolicy(POLICY);
        }
      });
    }
  });

  describe("a snapshot of a volume at its number", () => {
    let volume: Volume;
    let retained: readonly Stored[];

    before(async () => {
      volume = await createVolume(api, "full");
      retained = [await retain(volume), await retain(volume)];
      assert.equal((await snapshotsOf(cluster, volume)).length, retained.length);
    });

    async function take(backup: string, options: { readonly dryRun?: boolean } = {}): Promise<Answer> {
      return api.create(aVolumeSnapshot({ claim: volume.claim, backup }), { as: VELERO, ...options });
    }

    async function discard(...made: readonly Answer[]): Promise<void> {
      for (const { object } of made) {
        // One that is removed while the array still takes it would be there for long.
        await eventually(`${object.metadata.name} is ready`, async () =>
          assert.equal((await api.read(object)).status["readyToUse"], true),
        );
        await api.remove(object, { as: VELERO });
      }
      await eventually("the array has only the retained ones", async () =>
        assert.equal((await snapshotsOf(cluster, volume)).length, retained.length),
      );
      await eventually("its objects are gone", async () => {
        const contents = await api.list("snapshot.storage.k8s.io/v1", "VolumeSnapshotContent");
        const ours = contents.filter(
          ({ metadata }) => metadata.labels["velero.io/snapshot-volume-name"] === "shop.full",
        );
        assert.equal(ours.length, retained.length);
      });
    }

    async function snapshots(): Promise<Stored[]> {
      const all = await api.list("snapshot.storage.k8s.io/v1", "VolumeSnapshot");
      return all.filter(({ spec }) => JSON.stringify(spec).includes('"full"'));
    }

    test("is held until room was granted, longer than any decision may take, and then labelled", async () => {
      controller.answer(() => undefined);
      const backup = await aStoredBackup();
      const answer = take(backup);
      const request = await eventually("room is asked for", async () => {
        const [lease] = await controller.requests();
        assert.ok(lease !== undefined);
        return lease;
      });
      assert.match(request.metadata.name, /^snapshot-retainer-room-[0-9a-f]{16}$/);
      const { annotations } = request.metadata;
      assert.deepEqual(annotations, {
        "snapshot-retainer.io/volume": "shop/full",
        "snapshot-retainer.io/volume-name": "shop.full",
        "snapshot-retainer.io/backup": `velero/${backup}`,
      });
      assert.equal(request.spec["leaseDurationSeconds"], 60);
      await sleep(3_800);
      assert.deepEqual(await snapshots(), []);
      controller.answer(grantAll);
      const made = await answer;
      assert.deepEqual(made.warnings, []);
      assert.equal(made.object.metadata.labels["velero.io/snapshot-volume-name"], "shop.full");
      const { ours } = await auditOf(cluster, made.auditId);
      assert.equal(ours["code"], "labelled");
      assert.equal(ours["room"], "granted");
      await discard(made);
    });

    test("is made without room when there is none, and says so", async () => {
      controller.answer(() => "none: 2 snapshots of shop/full are pinned");
      const made = await take(await aStoredBackup());
      assert.deepEqual(made.warnings, [
        "snapshot-retainer: shop.full: no room was made, so the storage may refuse this snapshot: 2 snapshots of shop/full are pinned",
      ]);
      assert.equal((await auditOf(cluster, made.auditId)).ours["code"], "no_room");
      assert.equal(made.object.metadata.labels["velero.io/snapshot-volume-name"], "shop.full");
      await discard(made);
    });

    test("is made when nobody answers in the time that the policy gives", async () => {
      controller.answer(() => undefined);
      await product.applyPolicy({ ...POLICY, waitForRoom: "1s" });
      try {
        const made = await take(await aStoredBackup());
        const { ours } = await auditOf(cluster, made.auditId);
        assert.equal(ours["room"], "late");
        assert.equal(made.object.metadata.labels["velero.io/snapshot-volume-name"], "shop.full");
        await discard(made);
      } finally {
        await product.applyPolicy(POLICY);
      }
    });

    test("asks once, though another webhook makes the API server ask us again", async () => {
      let asked = 0;
      controller.answer(() => {
        asked += 1;
        return "granted";
      });
      const second = await startSecondWebhook(api);
      try {
        const labels = { "second.example/wanted": "labels" };
        const claim = { ...volume.claim, metadata: { ...volume.claim.metadata, labels } };
        const backup = await aStoredBackup();
        const made = await api.create(aVolumeSnapshot({ claim, backup }), { as: VELERO });
        assert.equal(made.object.metadata.labels["second.example/seen"], "yes");
        assert.equal(asked, 1);
        await discard(made);
      } finally {
        await second.stop();
      }
    });

    test("gets its room also when two are taken at once", async () => {
      const backups = [await aStoredBackup(), await aStoredBackup()];
      const made = await Promise.all(backups.map(async (backup) => take(backup)));
      for (const { auditId } of made) {
        assert.equal((await auditOf(cluster, auditId)).ours["room"], "granted");
      }
      assert.equal((await controller.requests()).length, 2);
      await discard(...made);
    });

    const silent: Record<string, () => Promise<Answer | undefined>> = {
      "on a dry run": async () => {
        await take(await aStoredBackup(), { dryRun: true });
        return undefined;
      },
      "under a policy that is paused": async () => under({ mode: "paused" }),
      "under a policy that only watches": async () => under({ mode: "audit" }),
      "with a number of none": async () => under({ snapshotsToRetain: 0 }),
      "below a raised number": async () => under({ snapshotsToRetain: 3 }),
      "of a Backup that does not move data": async () => {
        const spec = { snapshotMoveData: false };
        const { object } = await api.create(aBackup({ spec }));
        return take(object.metadata.name);
      },
      "of no Backup that is known": async () => take(aName("unknown")),
    };
    for (const [name, taken] of Object.entries(silent)) {
      test(`asks nobody ${name}`, async () => {
        const made = await taken();
        assert.deepEqual(await controller.requests(), []);
        if (made !== undefined) {
          await discard(made);
        }
      });
    }

    async function under(change: object): Promise<Answer> {
      await product.applyPolicy({ ...POLICY, ...change });
      try {
        return await take(await aStoredBackup());
      } finally {
        await product.applyPolicy(POLICY);
      }
    }

    test("asks nobody where the volume has none", async () => {
      const empty = await createVolume(api, "empty");
      const backup = await aStoredBackup();
      await api.create(aVolumeSnapshot({ claim: empty.claim, backup }), { as: VELERO });
      assert.deepEqual(await controller.requests(), []);
    });
  });

  describe("while no controller renews its Lease", () => {
    let volume: Volume;
    let prepared: { readonly original: Original; readonly upload: Stored };

    before(async () => {
      volume = await createVolume(api, "orphan");
      await retain(volume);
      await retain(volume);
      prepared = await uploading(volume);
      await controller.die();
    });

    after(async () => controller.revive());

    test("a clone stays Delete, with a warning", async () => {
      const { content } = await expose(api, prepared.original, prepared.upload.metadata.name);
      assert.equal(content.object.spec["deletionPolicy"], "Delete");
      assert.match(content.warnings.join(), /no retention controller is running that could free it/);
      assert.equal((await auditOf(cluster, content.auditId)).ours["code"], "retain_refused");
    });

    test("a snapshot of a volume at its number asks nobody", async () => {
      const backup = await aStoredBackup();
      const made = await api.create(aVolumeSnapshot({ claim: volume.claim, backup }), { as: VELERO });
      assert.deepEqual(await controller.requests(), []);
      assert.deepEqual(made.warnings, []);
    });

    test("a new replica does not take what the last one left for a live one", async () => {
      const replica = await product.startReplica();
      await replica.ready();
      await Promise.all(product.replicas.slice(0, 1).map(async (first) => first.stop()));
      const { original, upload } = await uploading(volume);
      const { content } = await expose(api, original, upload.metadata.name);
      assert.equal(content.object.spec["deletionPolicy"], "Delete");
    });

    test("a clone is Retain again as soon as one does", async () => {
      await controller.revive();
      await eventually("a clone is retained", async () => {
        const { original, upload } = await uploading(volume);
        const { content } = await expose(api, original, upload.metadata.name);
        assert.equal(content.object.spec["deletionPolicy"], "Retain");
        assert.equal((await api.read(aContent(upload.metadata.name))).spec["deletionPolicy"], "Retain");
      });
    });
  });
});
