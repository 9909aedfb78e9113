import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { after, before, describe, test } from "node:test";
import * as z from "zod";
import { availableBinaries } from "../cluster/availability.ts";
import { startCluster } from "../cluster/cluster.ts";
import type { Cluster } from "../cluster/cluster.ts";
import { createApi } from "./api.ts";
import type { Answer, Api, Stored } from "./api.ts";
import { auditOf, requestsOf } from "./audit.ts";
import { createVolume } from "./controller-scene.ts";
import type { Volume } from "./controller-scene.ts";
import { startControllerStandIn } from "./controller-stand-in.ts";
import type { ControllerStandIn } from "./controller-stand-in.ts";
import { eventually } from "./eventually.ts";
import { readMetric } from "./metrics.ts";
import { aBackup, aName } from "./objects.ts";
import type { Manifest } from "./objects.ts";
import { ACCOUNT, CONTROLLER_ACCOUNT, installProduct, NAMESPACE } from "./product.ts";
import type { Product } from "./product.ts";
import { deleteOriginal, expose, requestUpload, takeSnapshot, VELERO } from "./velero.ts";

const { binaries, skip } = await availableBinaries("demo");

const DECISION = "snapshot-retainer.io/restore-decision";
const SOURCE = "snapshot-retainer.io/restore-source";
const VOLUME = "snapshot-retainer.io/restore-volume";
const HANDED_BACK = "snapshot_retainer_restores_handed_back_total";
const BACK =
  "by data movement: handed back to Velero: the controller has been down for longer than handBackAfter (4 s)";
const POLICY = { snapshotsToRetain: 5, restore: { handBackAfter: "4s" } };

const SETUP = `
apiVersion: v1
kind: Namespace
metadata: { name: shop }
`;

/** A snapshot that stays on the array after its upload. */
interface Retained {
  readonly backup: string;
  readonly upload: Stored;
  readonly content: Stored;
  /** Velero's id of its data. */
  readonly snapshotID: string;
}

describe("the webhook's part of a restore on a real control plane", { skip, timeout: 280_000 }, () => {
  let cluster: Cluster;
  let api: Api;
  let product: Product;
  let controller: ControllerStandIn;
  let volume: Volume;

  before(async () => {
    cluster = await startCluster(binaries === undefined ? {} : { binaries });
    api = await createApi(cluster);
    await cluster.kubectl(["apply", "-f", "-"], { stdin: SETUP });
    await cluster.kubectl(["create", "namespace", NAMESPACE], { allowFailure: true });
    controller = await startControllerStandIn(api);
    product = await installProduct(cluster, { policy: POLICY });
    volume = await createVolume(api, "data");
  });

  after(async () => {
    await controller.stop();
    await product.stop();
    await cluster.stop();
  });

  /** As Velero and the controller leave it once the Backup is completed. */
  async function retain(of: Volume = volume): Promise<Retained> {
    const backup = (await api.create(aBackup())).object.metadata.name;
    const original = await takeSnapshot(api, of.claim, backup);
    const { object: upload } = await requestUpload(api, of.claim, original.snapshot, backup);
    const clone = await expose(api, original, upload.metadata.name);
    await deleteOriginal(api, original);
    await eventually("the clone is ready", async () =>
      assert.equal((await api.read(clone.content.object)).status["readyToUse"], true),
    );
    await api.remove(clone.snapshot.object, { as: VELERO });
    const snapshotID = randomUUID();
    await api.patch(upload, { status: { phase: "Completed", snapshotID } }, { as: VELERO });
    const labels = { "snapshot-retainer.io/retained": "true" };
    const { object: content } = await api.patch(
      clone.content.object,
      { metadata: { labels } },
      { as: CONTROLLER_ACCOUNT },
    );
    return { backup, upload, content, snapshotID };
  }

  /** What the restore of a snapshot's data gets, once the webhook has heard of what happened before. */
  async function restored(download: Manifest, decision: string): Promise<Answer> {
    return eventually(`it is decided: ${decision}`, async () => {
      const answer = await api.create(download, { as: VELERO });
      assert.equal(answer.object.metadata.annotations[DECISION], decision);
      return answer;
    });
  }

  async function assertOurs(answer: Answer, { content, backup }: Retained): Promise<void> {
    assert.equal(answer.object.spec["datamover"], "snapshot-retainer");
    const written = z.looseObject({ signature: z.string() });
    const { signature, ...source } = written.parse(
      JSON.parse(answer.object.metadata.annotations[SOURCE] ?? ""),
    );
    assert.match(signature, /^[\w-]{43}$/);
    assert.deepEqual(source, {
      name: content.metadata.name,
      driver: "array.csi.snapshot-retainer.io",
      handle: z.object({ snapshotHandle: z.string() }).parse(content.spec["source"]).snapshotHandle,
      local: true,
      backup,
      snapshotClass: "array",
    });
    assert.equal((await auditOf(cluster, answer.auditId)).ours["code"], "restore_from_retained");
  }

  async function assertVeleros(answer: Answer): Promise<void> {
    assert.equal(answer.object.spec["datamover"], undefined);
    assert.equal(answer.object.metadata.annotations[SOURCE], undefined);
    assert.equal((await auditOf(cluster, answer.auditId)).ours["code"], "restore_by_data_movement");
  }

  function decisionFor({ content, backup }: Retained): string {
    return `from retained snapshot ${content.metadata.name} of backup ${backup}`;
  }

  describe("a DataDownload", () => {
    test("becomes ours, for the snapshot of its own backup, into whichever namespace", async () => {
      const [older, newer] = [await retain(), await retain()];
      for (const each of [older, newer]) {
        const { snapshotID } = each;
        const answer = await restored(aDataDownload({ snapshotID, namespace: "copy" }), decisionFor(each));
        await assertOurs(answer, each);
      }
    });

    test("becomes ours by what its backup says, where the DataUpload is gone", async () => {
      const retained = await retain();
      const { upload, content, snapshotID } = retained;
      const document = z
        .object({ alias: z.string() })
        .parse(JSON.parse(content.metadata.annotations["snapshot-retainer.io/inherited"] ?? ""));
      await api.remove(upload, { as: VELERO });
      const restore = randomUUID();
      const download = aDataDownload({ snapshotID, restore });
      await assertVeleros(
        await restored(download, "by data movement: no snapshot of shop/data was retained by its backup"),
      );
      await api.create(aResult({ restore, upload, snapshotID, alias: document.alias }), { as: VELERO });
      await assertOurs(await restored(download, decisionFor(retained)), retained);
    });

    test("is left to Velero where nothing is retained, and nobody is asked", async () => {
      async function lists(): Promise<number> {
        return (await requestsOf(cluster, ACCOUNT)).filter((request) => request === "list configmaps").length;
      }
      const before = await lists();
      const download = aDataDownload({ snapshotID: randomUUID(), claim: "other" });
      await assertVeleros(
        await restored(download, "by data movement: no snapshot of shop/other is retained"),
      );
      assert.equal(await lists(), before);
    });

    test("is left to Velero where its snapshot was pruned, and says when and why", async () => {
      const { upload, snapshotID } = await retain();
      const released = "snapshot-retainer.io/released";
      const annotations = { [released]: "over_number", [`${released}-at`]: "2026-11-25T10:00:00Z" };
      await api.patch(upload, { metadata: { annotations } }, { as: CONTROLLER_ACCOUNT });
      const why =
        "its snapshot was pruned on 2026-11-25T10:00:00Z (over_number: its volume has newer ones, as many as the number allows)";
      await assertVeleros(await restored(aDataDownload({ snapshotID }), `by data movement: ${why}`));
    });

    test("is left to Velero where its snapshot is being freed", async () => {
      const { content, snapshotID } = await retain();
      const labels = { "snapshot-retainer.io/released": "over_number" };
      await api.patch(content, { metadata: { labels } }, { as: CONTROLLER_ACCOUNT });
      const decision = "by data movement: its snapshot is being deleted";
      await assertVeleros(await restored(aDataDownload({ snapshotID }), decision));
    });

    test("is left to Velero under a policy that says so, and in audit mode without a word", async () => {
      const retained = await retain();
      const download = aDataDownload({ snapshotID: retained.snapshotID });
      await restored(download, decisionFor(retained));
      try {
        await product.applyPolicy({ ...POLICY, restore: { fromRetained: false } });
        await assertVeleros(await restored(download, "by data movement: the policy does not allow it"));
        await product.applyPolicy({ ...POLICY, mode: "audit" });
        const { object, auditId } = await api.create(download, { as: VELERO });
        assert.deepEqual([object.spec["datamover"], object.metadata.annotations], [undefined, {}]);
        assert.equal((await auditOf(cluster, auditId)).ours["code"], "audit:restore_from_retained");
      } finally {
        await product.applyPolicy(POLICY);
      }
    });

    test("of another data mover, or that somebody else made, stays as it is", async () => {
      const retained = await retain();
      const download = aDataDownload({ snapshotID: retained.snapshotID });
      await restored(download, decisionFor(retained));
      const others = { ...download, spec: { ...download.spec, datamover: "acme" } };
      for (const [object, options] of [
        [others, { as: VELERO }],
        [download, {}],
      ] as const) {
        const made = (await api.create(object, options)).object;
        assert.equal(made.spec["datamover"], object.spec?.["datamover"]);
        assert.deepEqual(made.metadata.annotations, {});
      }
    });
  });

  describe("while no controller runs", () => {
    let retained: Retained;
    let waiting: Stored;
    let running: Stored;
    let binding: Stored;
    let cancelled: Stored;
    let others: Stored;

    async function ours(change: object = {}): Promise<Stored> {
      const download = aDataDownload({ snapshotID: retained.snapshotID });
      const { object } = await restored(download, decisionFor(retained));
      return (await api.patch(object, change, { as: CONTROLLER_ACCOUNT })).object;
    }

    before(async () => {
      for (const download of await api.list("velero.io/v2alpha1", "DataDownload")) {
        await api.remove(download, { as: VELERO });
      }
      retained = await retain();
      // Its rights on DataDownloads are not what this is about.
      await cluster.kubectl([
        "create",
        "clusterrolebinding",
        "controller",
        "--clusterrole=cluster-admin",
        `--user=${CONTROLLER_ACCOUNT}`,
      ]);
      waiting = await ours();
      running = await ours({ status: { phase: "InProgress", startTimestamp: "2026-11-25T10:00:00Z" } });
      binding = await ours({ metadata: { annotations: { [VOLUME]: "pv-1" } } });
      cancelled = await ours({ spec: { cancel: true } });
      others = (
        await api.create(aDataDownload({ snapshotID: retained.snapshotID, datamover: "acme" }), {
          as: VELERO,
        })
      ).object;
      const requests = await requestsOf(cluster, ACCOUNT);
      assert.ok(!requests.includes("list datadownloads"), "one that is alive is not stood in for");
      await controller.die();
    });

    after(async () => controller.revive());

    test("nothing new becomes ours", async () => {
      const download = aDataDownload({ snapshotID: retained.snapshotID });
      await assertVeleros(await restored(download, "by data movement: no retention controller is running"));
    });

    test("what waits for it is handed back, as if it had just been made", async () => {
      for (const download of [waiting, running]) {
        const now = await eventually("it is handed back", async () => {
          const found = await api.read(download);
          assert.equal(found.spec["datamover"], undefined);
          return found;
        });
        assert.equal(now.metadata.annotations[DECISION], BACK);
        assert.deepEqual(now.status, {});
      }
      await eventually("both are counted", async () =>
        assert.equal(await readMetric(product.running(), HANDED_BACK), 2),
      );
    });

    test("what is being bound, what is cancelled, and what is not ours stays", async () => {
      for (const download of [binding, cancelled, others]) {
        const now = await api.read(download);
        assert.equal(now.metadata.resourceVersion, download.metadata.resourceVersion);
      }
    });

    test("any replica hands back, and one that has just started waits as long", async () => {
      await controller.revive();
      const one = await ours();
      await Promise.all(product.running().map(async (replica) => replica.stop("SIGKILL")));
      await controller.die();
      const started = performance.now();
      const replica = await product.startReplica();
      await replica.ready();
      await eventually("it is handed back", async () =>
        assert.equal((await api.read(one)).spec["datamover"], undefined),
      );
      assert.ok(performance.now() - started > 4_000);
      await eventually("it is counted", async () =>
        assert.equal(await readMetric([replica], HANDED_BACK), 1),
      );
    });
  });
});

/** As Velero's CSI plugin makes it (velero pvc_action.go, newDataDownload). */
function aDataDownload(given: {
  readonly snapshotID: string;
  readonly claim?: string;
  readonly namespace?: string;
  /** UID of the Restore. */
  readonly restore?: string;
  readonly datamover?: string;
}): Manifest {
  const { snapshotID, claim = "data", namespace = "shop", restore = randomUUID(), datamover } = given;
  return {
    apiVersion: "velero.io/v2alpha1",
    kind: "DataDownload",
    metadata: {
      generateName: "restore-",
      namespace: "velero",
      labels: { "velero.io/restore-name": "restore", "velero.io/restore-uid": restore },
    },
    spec: {
      targetVolume: { pvc: claim, pv: "", namespace },
      backupStorageLocation: "default",
      snapshotID,
      sourceNamespace: "shop",
      operationTimeout: "10m0s",
      ...(datamover !== undefined && { datamover }),
    },
  };
}

/** In which a restore finds what the backup says (velero dataupload_retrieve_action.go). */
function aResult(given: {
  readonly restore: string;
  readonly upload: Stored;
  readonly snapshotID: string;
  readonly alias: string;
}): Manifest {
  const { restore, upload, snapshotID, alias } = given;
  const { sourceNamespace, sourcePVC } = z
    .object({ sourceNamespace: z.string(), sourcePVC: z.string() })
    .parse(upload.spec);
  const result = {
    backupStorageLocation: "default",
    snapshotID,
    sourceNamespace,
    dataMoverResult: { retainedSnapshot: upload.metadata.name, alias },
  };
  return {
    apiVersion: "v1",
    kind: "ConfigMap",
    metadata: {
      name: aName(upload.metadata.name),
      namespace: "velero",
      labels: {
        "velero.io/restore-uid": restore,
        "velero.io/pvc-namespace-name": `${sourceNamespace}.${sourcePVC}`,
        "velero.io/resource-usage": "DataUpload",
      },
    },
    data: { [restore]: JSON.stringify(result) },
  };
}
