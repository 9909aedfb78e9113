import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import type { MoverBehaviour, Movement } from "../cluster/data-mover-stand-in.ts";
import { eventually } from "./eventually.ts";
import { playOtherMover } from "./other-mover.ts";
import { available, backUp, holds, PATIENCE_MS, startBed, uploadIn } from "./retention-bed.ts";
import type { Bed } from "./retention-bed.ts";
import { aContent, VELERO } from "./velero.ts";

/** How a snapshot's life ends, by real backups of the real Velero; what counts is what the array holds. */
const { skip } = available;

const POLICY = {
  snapshotsToRetain: 2,
  ceilings: { drivers: { "array.csi.snapshot-retainer.io": 2 } },
  dataMovers: { accounts: ["system:serviceaccount:acme-mover:mover"] },
};

const DRIVERS = [{ name: "array.csi.snapshot-retainer.io", limit: 2 }];

describe("a snapshot goes", { skip, timeout: 600_000 }, () => {
  let bed: Bed;
  /** By Backup; "ok" for all others. */
  const behaviours = new Map<string, MoverBehaviour>();

  function behave({ backup }: Movement): MoverBehaviour {
    return behaviours.get(backup) ?? "ok";
  }

  before(async () => {
    bed = await startBed({ policy: POLICY, drivers: DRIVERS });
    bed.velero.setMoverBehaviour(behave);
  });
  after(async () => bed.stop());

  describe("at once,", { concurrency: true }, () => {
    for (const behaviour of ["fail", "cancel", "image-pull-failure"] as const) {
      test(`when its upload ends with "${behaviour}"`, async () => {
        const volume = await bed.volume({ namespace: behaviour, name: "data" });
        await backUp(bed.velero, `${behaviour}-1`, behaviour);
        behaviours.set(`${behaviour}-2`, behaviour);
        const { phase } = await bed.velero.backup(`${behaviour}-2`, { namespaces: [behaviour] });
        assert.equal(phase, "PartiallyFailed");
        await holds(volume, 1);
      });
    }

    test("when its upload takes longer than the Backup waits", async () => {
      const volume = await bed.volume({ namespace: "slow", name: "data" });
      await backUp(bed.velero, "slow-1", "slow");
      behaviours.set("slow-2", "hang");
      await bed.velero.beginBackup("slow-2", { namespaces: ["slow"] });
      // Before it has begun, the data mover hears of a cancellation only after minutes.
      await uploadIn(bed, "slow-2", "InProgress");
      await bed.api.patch(aBackupNamed("slow-2"), { spec: { itemOperationTimeout: "1s" } });
      assert.equal((await bed.velero.ended("slow-2")).phase, "PartiallyFailed");
      await holds(volume, 1);
    });

    test("when its Backup is deleted, and no other", async () => {
      const volume = await bed.volume({ namespace: "deleted", name: "data" });
      await backUp(bed.velero, "deleted-1", "deleted");
      await backUp(bed.velero, "deleted-2", "deleted");
      await bed.velero.deleteBackup("deleted-1");
      await holds(volume, 2);
    });

    test("when its Backup expires", async () => {
      const volume = await bed.volume({ namespace: "expired", name: "data" });
      await backUp(bed.velero, "expired-1", "expired");
      await holds(volume, 1);
      // However long it took: with a short ttl it could be gone before anybody has looked.
      const expiration = new Date().toISOString();
      await bed.api.patch(aBackupNamed("expired-1"), { status: { expiration } });
      await bed.velero.gone("expired-1");
      await holds(volume);
    });

    test("not when the Backup object alone is removed and synced again, but when it is deleted then", async () => {
      const volume = await bed.volume({ namespace: "synced", name: "data" });
      await backUp(bed.velero, "synced-1", "synced");
      const { metadata: before } = await bed.api.read(aBackupNamed("synced-1"));
      await bed.cluster.kubectl(["delete", "backup.velero.io", "synced-1", "-n=velero"]);
      await eventually(
        "the Backup is back",
        async () => {
          const { metadata: now } = await bed.api.read(aBackupNamed("synced-1"));
          assert.notEqual(now.uid, before.uid);
          // Velero looks once a minute, however short the period is.
        },
        PATIENCE_MS,
      );
      await backUp(bed.velero, "synced-2", "synced");
      await holds(volume, 1, 2);
      await bed.velero.deleteBackup("synced-1");
      await holds(volume, 2);
    });

    test("with its Backup, though a newer Velero has deleted the content after the upload", async () => {
      const volume = await bed.volume({ namespace: "newer", name: "data" });
      behaviours.set("newer-1", "hang");
      await bed.velero.beginBackup("newer-1", { namespaces: ["newer"] });
      const { metadata: upload } = await uploadIn(bed, "newer-1", "InProgress");
      behaviours.delete("newer-1");
      await uploadIn(bed, "newer-1", "Completed");
      const content = aContent(upload.name);
      const { metadata: before, status } = await bed.api.read(content);
      await bed.api.remove(content, { as: VELERO });
      assert.equal((await bed.velero.ended("newer-1")).phase, "Completed");
      await eventually("the content is there again", async () => {
        const now = await bed.api.read(content);
        assert.notEqual(now.metadata.uid, before.uid);
        assert.equal(now.status["snapshotHandle"], status["snapshotHandle"]);
        assert.equal(now.metadata.labels[RETAINED], "true");
        assert.deepEqual(now.spec["deletionPolicy"], "Retain");
      });
      await backUp(bed.velero, "newer-2", "newer");
      await holds(volume, 1, 2);
      await bed.velero.deleteBackup("newer-1");
      await holds(volume, 2);
    });

    test("by the number, when another data mover has made the clones", async () => {
      const volume = await bed.volume({ namespace: "acme", name: "data" });
      for (const n of [1, 2, 3]) {
        await bed.velero.beginBackup(`acme-${n}`, { namespaces: ["acme"], flags: ["--data-mover=acme"] });
        await playOtherMover(bed.api, `acme-${n}`);
        assert.equal((await bed.velero.ended(`acme-${n}`)).phase, "Completed");
      }
      await holds(volume, 2, 3);
      await bed.velero.deleteBackup("acme-2");
      await holds(volume, 3);
    });
  });

  test("and nothing was refused", async () => {
    assert.deepEqual((await bed.cluster.array.state()).refusals, []);
  });
});

const RETAINED = "snapshot-retainer.io/retained";

function aBackupNamed(name: string) {
  return { apiVersion: "velero.io/v1", kind: "Backup", metadata: { name, namespace: "velero" } };
}
