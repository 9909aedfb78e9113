import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import type { Api } from "./api.ts";
import { eventually } from "./eventually.ts";
import { uploadsOf } from "./real-velero.ts";
import { available, backUp, holds, PATIENCE_MS, startBed, uploadIn } from "./retention-bed.ts";
import type { Bed, BedVolume } from "./retention-bed.ts";
import { aContent } from "./velero.ts";

/**
 * Our own processes are killed while real backups are at every step, on an array that is full. Nothing that ended well may be
 * missing afterwards, and nothing else may be left.
 */
const { skip } = available;

const POLICY = {
  snapshotsToRetain: 2,
  ceilings: { drivers: { "array.csi.snapshot-retainer.io": 2 } },
};

/** What a backup has come to when somebody is killed; each has a namespace with a volume of its own. */
const STEPS = ["asked", "waiting-for-room", "taken", "exposing", "copying", "copied"] as const;

type Step = (typeof STEPS)[number];
type Victim = "webhook" | "controller";

describe("killed at every step of a backup and replaced,", { skip, timeout: 600_000 }, () => {
  let bed: Bed;
  let volumes: BedVolume[];
  let nights = 0;

  before(async () => {
    const drivers = [{ name: "array.csi.snapshot-retainer.io", limit: 2 }];
    bed = await startBed({ policy: POLICY, drivers, velero: { nodes: STEPS.length } });
    volumes = await Promise.all(STEPS.map(async (step) => bed.volume({ namespace: step, name: "data" })));
    // Filled, so that each further snapshot needs room.
    for (; nights < 2; nights++) {
      await Promise.all(STEPS.map(async (step) => backUp(bed.velero, `${step}-${nights + 1}`, step)));
    }
  });
  after(async () => bed.stop());

  for (const victims of [["webhook"], ["controller"], ["webhook", "controller"]] as const) {
    test(`${victims.join(" and ")} lose nothing and leave nothing behind`, async () => {
      const night = ++nights;
      const kill = oneAtATime(async () => replace(bed, victims));
      bed.velero.setMoverBehaviour("hang");
      await Promise.all(STEPS.map(async (step) => beginAndKill(step, night, kill)));
      await Promise.all(STEPS.map(async (step) => isProtected(bed, `${step}-${night}`)));

      bed.velero.setMoverBehaviour("ok");
      await uploadIn(bed, `copied-${night}`, "Completed");
      await kill();
      for (const step of STEPS) {
        assert.equal((await bed.velero.ended(`${step}-${night}`)).phase, "Completed");
      }
      for (const volume of volumes) await holds(volume, night - 1, night);
      await eachHasItsContent(bed);
    });
  }

  async function beginAndKill(step: Step, night: number, kill: () => Promise<void>): Promise<void> {
    const name = `${step}-${night}`;
    await bed.velero.beginBackup(name, { namespaces: [step] });
    if (step === "waiting-for-room") await roomIsAskedFor(bed, name, step);
    if (step === "taken") await snapshotIsTaken(bed, name, step);
    if (step === "exposing") await uploadIn(bed, name, "Accepted", "Prepared", "InProgress");
    if (step === "copying") await uploadIn(bed, name, "InProgress");
    // Its turn comes when all others have had theirs.
    if (step !== "copied") await kill();
  }
});

/** Kills these at once, starts successors, and returns when they are ready. */
async function replace({ product }: Bed, victims: readonly Victim[]): Promise<void> {
  await Promise.all(
    victims.map(async (victim) => {
      const running = victim === "webhook" ? product.running() : product.runningControllers();
      await Promise.all(running.map(async (each) => each.stop("SIGKILL")));
      await (await (victim === "webhook" ? product.startReplica() : product.startController())).ready();
    }),
  );
}

function oneAtATime(act: () => Promise<void>): () => Promise<void> {
  let last = Promise.resolve();
  return async () => {
    last = last.then(act);
    return last;
  };
}

/** Without room there is a request for it, unless it has been granted and cleared away already. */
async function roomIsAskedFor({ api }: Bed, backup: string, namespace: string): Promise<void> {
  await eventually(
    "room is asked for, or the snapshot is being taken",
    async () => {
      const leases = await api.list(
        "coordination.k8s.io/v1",
        "Lease",
        "labelSelector=snapshot-retainer.io/room",
      );
      const asked = leases.some(
        ({ metadata }) => metadata.annotations["snapshot-retainer.io/volume"] === `${namespace}/data`,
      );
      assert.ok(asked || (await isBeingTaken(api, backup, namespace)));
    },
    PATIENCE_MS,
  );
}

async function snapshotIsTaken({ api }: Bed, backup: string, namespace: string): Promise<void> {
  await eventually(
    "the snapshot is being taken",
    async () => assert.ok(await isBeingTaken(api, backup, namespace)),
    PATIENCE_MS,
  );
}

/** Or was: where nobody looked in time, the original is gone and there is an upload. */
async function isBeingTaken(api: Api, backup: string, namespace: string): Promise<boolean> {
  const snapshots = await api.list("snapshot.storage.k8s.io/v1", "VolumeSnapshot");
  const isThere = snapshots.some(({ metadata }) => metadata.namespace === namespace);
  return isThere || (await uploadsOf(api, backup)).length > 0;
}

/** What the data mover reads from will outlive it, by whomever that was arranged. */
async function isProtected({ api }: Bed, backup: string): Promise<void> {
  await eventually(
    `the clone of ${backup} is set to Retain`,
    async () => {
      const [upload] = await uploadsOf(api, backup);
      assert.equal(upload?.status["phase"], "InProgress");
      const content = await api.read(aContent(upload.metadata.name));
      assert.equal(content.spec["deletionPolicy"], "Retain");
    },
    PATIENCE_MS,
  );
}

/** Every snapshot on the array has one content, labelled as retained, and nothing else is left of the backups. */
async function eachHasItsContent({ api, cluster }: Bed): Promise<void> {
  await eventually("each snapshot has its content", async () => {
    const contents = await api.list("snapshot.storage.k8s.io/v1", "VolumeSnapshotContent");
    const { snapshots } = await cluster.array.state();
    assert.deepEqual(
      new Set(contents.map(({ status }) => status["snapshotHandle"])),
      new Set(snapshots.map(({ id }) => id)),
    );
    assert.equal(contents.length, snapshots.length);
    for (const { metadata, spec } of contents) {
      assert.equal(metadata.labels["snapshot-retainer.io/retained"], "true");
      assert.equal(spec["deletionPolicy"], "Retain");
    }
    assert.deepEqual(await api.list("snapshot.storage.k8s.io/v1", "VolumeSnapshot"), []);
  });
}
