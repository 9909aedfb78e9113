import assert from "node:assert/strict";
import { setTimeout as sleep } from "node:timers/promises";
import type { Cluster } from "../cluster/cluster.ts";
import type { Api, Stored } from "./api.ts";
import { eventually } from "./eventually.ts";
import { aClaim } from "./objects.ts";
import { deleteBackup, playBackup } from "./play.ts";
import type { Ending, Movement } from "./play.ts";
import type { Product } from "./product.ts";
import { EMPTY, forget, makeRoom, pin, prune, retain } from "./retention-model.ts";
import type { RetainedModel, VolumeModel } from "./retention-model.ts";
import { aContent } from "./velero.ts";

/** A volume of the history: the real one, and what the model says of it. */
export interface Volume {
  readonly name: string;
  readonly claim: Stored;
  readonly arrayVolume: string;
  model: VolumeModel;
  readonly movements: Map<string, Movement>;
}

/** Random choices; the same for the same seed. */
export interface Random {
  below(end: number): number;
  /** Undefined of an empty list. */
  pick<T>(from: readonly T[]): T | undefined;
}

/** What the history happens to. */
export interface Stage {
  readonly cluster: Cluster;
  readonly api: Api;
  readonly product: Product;
  readonly random: Random;
}

/** One thing that happens; says what it needs before it starts, so that a seed gives the same history. */
export interface Step {
  readonly volume: Volume;
  /** Of the backup that it makes, if it makes one. */
  readonly name: string;
  readonly number: number;
  readonly victim: RetainedModel | undefined;
}

type Play = (stage: Stage, step: Step) => Promise<void>;

const PLAYS: readonly Play[] = [
  ...Array.from({ length: 10 }, () => backUp("completed")),
  ...(["failed", "failed", "canceled", "backup-failed"] as const).map(backUp),
  deleteIt,
  deleteIt,
  deleteIt,
  togglePin,
  deleteObject,
];

/** Chooses and starts the next thing that happens to a volume. */
export async function playNext(stage: Stage, step: Omit<Step, "victim">): Promise<void> {
  const play = stage.random.pick(PLAYS);
  const victim = stage.random.pick(step.volume.model.retained);
  await play?.(stage, { ...step, victim });
}

/** Something may die, somewhere in the round, and is replaced; says whether it did. */
export async function disturb({ product, random }: Stage): Promise<boolean> {
  const victim = random.pick(["nothing", "nothing", "controller", "webhook"] as const);
  const delay = random.below(1_500);
  if (victim === undefined || victim === "nothing") {
    return false;
  }
  await sleep(delay);
  const isWebhook = victim === "webhook";
  const running = isWebhook ? product.running() : product.runningControllers();
  await Promise.all(running.map(async (replica) => replica.stop("SIGKILL")));
  const successor = await (isWebhook ? product.startReplica() : product.startController());
  await successor.ready();
  return true;
}

/** Resolves when the array holds what the model says of a volume, and these others; rejects when it never does. */
export async function holds(
  { cluster }: Stage,
  volume: Volume,
  others: readonly string[] = [],
): Promise<void> {
  await eventually(`the array holds what the model says of ${volume.name}`, async () => {
    const { snapshots } = await cluster.array.state();
    const held = snapshots.filter(({ sourceVolume }) => sourceVolume === volume.arrayVolume);
    const wanted = [...volume.model.retained.map(({ handle }) => handle), ...others];
    assert.deepEqual(held.map(({ id }) => id).toSorted(), wanted.toSorted());
  });
}

/** A claim on the array, bound. */
export async function createVolume(api: Api, name: string): Promise<Volume> {
  const { object } = await api.create(aClaim({ name, namespace: "shop" }));
  const claim = await eventually(`${name} is bound`, async () => {
    const now = await api.read(object);
    assert.equal(now.status["phase"], "Bound");
    return now;
  });
  const metadata = { name: textOf(claim.spec["volumeName"]) };
  const { csi } = (await api.read({ apiVersion: "v1", kind: "PersistentVolume", metadata })).spec;
  assert.ok(typeof csi === "object" && csi !== null && "volumeHandle" in csi);
  return { name, claim, arrayVolume: textOf(csi["volumeHandle"]), model: EMPTY, movements: new Map() };
}

function backUp(ending: Ending): Play {
  return async (stage, { volume, name, number }) => {
    const movement = await playBackup(stage.api, {
      name,
      claim: volume.claim,
      ending,
      pauses: {
        async taken(handle) {
          volume.model = makeRoom(volume.model, number);
          await holds(stage, volume, [handle]);
        },
        // Copying takes a real mover minutes: time enough for a controller that is just being started.
        copying: async ({ upload }) => (number === 0 ? undefined : isRecorded(stage.api, upload)),
      },
    });
    volume.movements.set(name, movement);
    if (ending === "completed") {
      const kept = { handle: movement.handle, backup: name, pinned: false };
      volume.model = retain(volume.model, kept, number);
    }
  };
}

async function isRecorded(api: Api, upload: Stored): Promise<void> {
  await eventually(`${upload.metadata.name} is set to Retain and recorded`, async () => {
    const clone = await api.read(aContent(upload.metadata.name));
    assert.equal(clone.spec["deletionPolicy"], "Retain");
    assert.ok("dataMoverResult" in (await api.read(upload)).status);
  });
}

async function deleteIt(stage: Stage, { volume, victim }: Step): Promise<void> {
  if (victim === undefined) return;
  // Nobody's deletion takes what is pinned; it would go once it is pinned no more.
  if (victim.pinned) await setPin(stage.api, volume, victim, false);
  volume.model = forget(volume.model, victim.backup);
  await deleteBackup(stage.api, movementOf(volume, victim).backup, async () => holds(stage, volume));
  volume.movements.delete(victim.backup);
}

async function togglePin({ api }: Stage, { volume, victim, number }: Step): Promise<void> {
  if (victim === undefined) return;
  await setPin(api, volume, victim, !victim.pinned);
  volume.model = prune(volume.model, number);
}

async function setPin(api: Api, volume: Volume, victim: RetainedModel, pinned: boolean): Promise<void> {
  const labels = { "snapshot-retainer.io/pin": pinned ? "true" : null };
  await api.patch(contentOf(volume, victim), { metadata: { labels } });
  volume.model = pin(volume.model, victim.handle, pinned);
}

/** Somebody deletes the object of a snapshot that is retained: the snapshot stays, and gets an object again. */
async function deleteObject({ api }: Stage, { volume, victim }: Step): Promise<void> {
  if (victim === undefined || victim.pinned) return;
  const content = await api.read(contentOf(volume, victim));
  await api.remove(content);
  await eventually(`${content.metadata.name} is there again`, async () => {
    assert.notEqual((await api.read(content)).metadata.uid, content.metadata.uid);
  });
}

function contentOf(volume: Volume, victim: RetainedModel): ReturnType<typeof aContent> {
  return aContent(movementOf(volume, victim).upload.metadata.name);
}

function movementOf(volume: Volume, { backup }: RetainedModel): Movement {
  const movement = volume.movements.get(backup);
  assert.ok(movement !== undefined, `${backup} was never made`);
  return movement;
}

function textOf(value: unknown): string {
  assert.ok(typeof value === "string");
  return value;
}
