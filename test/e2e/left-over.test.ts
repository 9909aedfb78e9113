import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { availableBinaries } from "../cluster/availability.ts";
import type { Cluster } from "../cluster/cluster.ts";
import type { Api, Ref, Stored } from "./api.ts";
import { createVolume, holds, snapshotsOf, startScene } from "./controller-scene.ts";
import type { Volume } from "./controller-scene.ts";
import { eventually } from "./eventually.ts";
import { aBackup, aCloneContent, aCloneSnapshot, aName } from "./objects.ts";
import { anUpload, setPhase } from "./play.ts";
import type { Product } from "./product.ts";
import { aContent, retainOriginal, takeSnapshot, VELERO } from "./velero.ts";
import type { Original } from "./velero.ts";

/**
 * A node-agent that dies while it exposes a snapshot, at each of its steps: whatever it leaves, the snapshot of an upload that
 * failed goes, and no object stays. What is played is Velero alone (pkg/exposer/csi_snapshot.go), so that each step is met.
 */
const { binaries, skip } = await availableBinaries("demo");

const GROUP = { apiVersion: "snapshot.storage.k8s.io/v1" } as const;
const PIN = "snapshot-retainer.io/pin";

/** The steps of exposing, in their order; it dies after one of them. */
const STEPS = ["nothing", "clone VolumeSnapshot", "clone content", "Retain", "original VolumeSnapshot gone"];

/** A controller on a machine that has other work, too, may be without its Lease for half a minute. */
const PATIENCE_MS = 120_000;

/** What is left of a data movement. */
interface Remains {
  readonly volume: Volume;
  readonly backup: Stored;
  readonly upload: Stored;
  readonly original: Original;
  readonly handle: string;
}

describe("a node-agent that died while it exposed a snapshot", { skip, timeout: 600_000 }, () => {
  let cluster: Cluster;
  let api: Api;
  let product: Product;

  before(async () => {
    ({ cluster, api, product } = await startScene(binaries, { snapshotsToRetain: 2 }));
    await (await product.startController()).ready();
  });
  after(async () => {
    await product.stop();
    await cluster.stop({ keep: process.env["KEEP"] === "1" });
  });

  for (const [index, step] of STEPS.entries()) {
    for (const phase of ["Failed", "Canceled"] as const) {
      test(`after "${step}" leaves nothing, when its upload is ${phase} and cleaned up`, async () => {
        const remains = await exposeUntil(index, `cleaned-${index}-${phase.toLowerCase()}`);
        await setPhase(api, remains.upload, phase);
        await cleanUp(remains);
        await end(remains);
        await nothingIsLeft(remains);
      });
    }

    test(`after "${step}" leaves nothing, when the next one dies before it cleans up`, async () => {
      const remains = await exposeUntil(index, `left-${index}`);
      // As after a timeout: without the time at which it ended.
      await api.patch(remains.upload, { status: { phase: "Failed" } }, { as: VELERO });
      await end(remains);
      await nothingIsLeft(remains);
    });

    test(`after "${step}" leaves nothing, when its Backup is deleted while no controller runs`, async () => {
      const remains = await exposeUntil(index, `deleted-${index}`);
      await setPhase(api, remains.upload, "Failed");
      await cleanUp(remains);
      await end(remains);
      await setPhase(api, remains.backup, "Deleting");
      await nothingIsLeft(remains);
    });
  }

  test("leaves nothing either where no webhook answered", async () => {
    const [webhook] = product.running();
    await webhook?.stop();
    const remains = await exposeUntil(STEPS.length - 1, "alone", async ({ upload }) => {
      await eventually("the controller has set it to Retain", async () => {
        const { spec } = await api.read(aContent(upload.metadata.name));
        assert.equal(spec["deletionPolicy"], "Retain");
      });
    });
    await (await product.startReplica()).ready();
    await setPhase(api, remains.upload, "Failed");
    await cleanUp(remains);
    await end(remains);
    await nothingIsLeft(remains);
  });

  test("leaves what is pinned, until it is pinned no more", async () => {
    const remains = await exposeUntil(STEPS.length - 1, "pinned");
    const content = aContent(remains.upload.metadata.name);
    await api.patch(content, { metadata: { labels: { [PIN]: "true" } } });
    await setPhase(api, remains.upload, "Failed");
    await cleanUp(remains);
    await end(remains);
    await staysAsItIs(remains);
    await api.patch(content, { metadata: { labels: { [PIN]: null } } });
    await nothingIsLeft(remains);
  });

  test("leaves what somebody else has made a content of as well", async () => {
    const remains = await exposeUntil(STEPS.length - 1, "shared");
    const { driver } = remains.original.content.spec;
    const name = aName("theirs");
    await api.create({
      ...aContent(name),
      spec: {
        driver,
        deletionPolicy: "Retain",
        source: { snapshotHandle: remains.handle },
        volumeSnapshotRef: { name, namespace: "shop" },
      },
    } as Ref);
    await setPhase(api, remains.upload, "Failed");
    await cleanUp(remains);
    await end(remains);
    await staysAsItIs(remains);
    await api.remove(aContent(name));
    await nothingIsLeft(remains);
  });

  /** Takes a snapshot and exposes it as far as the step of this index. */
  async function exposeUntil(
    last: number,
    name: string,
    copied: (remains: Remains) => Promise<void> = async () => undefined,
  ): Promise<Remains> {
    const volume = await createVolume(api, name);
    const { object: backup } = await api.create(aBackup({ name: aName("b") }));
    await setPhase(api, backup, "InProgress");
    const original = await takeSnapshot(api, volume.claim, backup.metadata.name);
    const handle = original.content.status["snapshotHandle"];
    assert.ok(typeof handle === "string");
    const { object: upload } = await api.create(anUpload(volume.claim, original.snapshot, backup), {
      as: VELERO,
    });
    await setPhase(api, backup, "WaitingForPluginOperations");
    await setPhase(api, upload, "Accepted");
    const remains = { volume, backup, upload, original, handle };
    for (const step of steps(remains).slice(0, last)) await step();
    await copied(remains);
    return remains;
  }

  /** What the exposer does one after the other; the first of `STEPS` is none of it. */
  function steps({ upload, original }: Remains): (() => Promise<void>)[] {
    const { snapshot, content } = original;
    const { name } = upload.metadata;
    return [
      async () => {
        const { annotations } = snapshot.metadata;
        await api.create(aCloneSnapshot({ name, annotations }), { as: VELERO });
      },
      async () => {
        const ref = await api.read({
          ...GROUP,
          kind: "VolumeSnapshot",
          metadata: { name, namespace: "velero" },
        });
        const { annotations } = content.metadata;
        await api.create(aCloneContent({ name, of: content, ref, annotations }), { as: VELERO });
      },
      async () => retainOriginal(api, content, VELERO),
      async () => {
        await api.remove(snapshot, { as: VELERO });
        await eventually("it is gone", async () => assert.equal(await api.find(snapshot), undefined));
      },
    ];
  }

  /** Velero deletes both VolumeSnapshots by name, and no content. */
  async function cleanUp({ upload, original }: Remains): Promise<void> {
    const metadata = { name: upload.metadata.name, namespace: "velero" };
    for (const snapshot of [{ ...GROUP, kind: "VolumeSnapshot", metadata }, original.snapshot]) {
      if ((await api.find(snapshot)) !== undefined) {
        await api.remove(snapshot, { as: VELERO }).catch(() => undefined);
      }
    }
  }

  async function end({ backup }: Remains): Promise<void> {
    await setPhase(api, backup, "PartiallyFailed");
  }

  async function nothingIsLeft({ volume, upload, original }: Remains): Promise<void> {
    await holds(cluster, volume, []);
    const { name } = upload.metadata;
    const clone = { ...GROUP, kind: "VolumeSnapshot", metadata: { name, namespace: "velero" } };
    async function nothingStands(): Promise<void> {
      for (const ref of [aContent(name), original.content, original.snapshot]) {
        assert.equal(await api.find(ref), undefined, `${ref.kind} ${ref.metadata.name ?? ""}`);
      }
      // Without a content it is an empty name, which Velero may leave.
      const { boundVolumeSnapshotContentName } = (await api.find(clone))?.status ?? {};
      assert.equal(boundVolumeSnapshotContentName, undefined);
    }
    await eventually("no object is left", nothingStands, PATIENCE_MS);
  }

  async function staysAsItIs({ volume, original, handle }: Remains): Promise<void> {
    await sleep(3_000);
    assert.deepEqual(await snapshotsOf(cluster, volume), [handle]);
    assert.ok(await api.find(original.content));
  }
});
