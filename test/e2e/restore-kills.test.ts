import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { isStillRetained, nothingLeft, restoredFrom, retainedOf } from "./restore-bed.ts";
import { holdAt, letGo, reaches, STEPS } from "./restore-steps.ts";
import { available, backUp, PATIENCE_MS, startBed } from "./retention-bed.ts";
import type { Bed } from "./retention-bed.ts";
import { eventually } from "./eventually.ts";

/**
 * Our own processes and Velero's are killed while restores from retained snapshots are at every step. Each has to end as it
 * would have, with nothing left behind and nothing of the retained snapshots lost.
 */
const { skip } = available;

const POLICY = { snapshotsToRetain: 2, restore: { readyWithin: "5m", handBackAfter: "2m" } };

type Victim = "webhook" | "controller" | "node-agent" | "server";

describe("killed at every step of a restore and replaced,", { skip, timeout: 600_000 }, () => {
  let bed: Bed;
  /** By namespace: each step has one. */
  const retained = new Map<string, string>();

  before(async () => {
    bed = await startBed({ policy: POLICY, velero: { nodes: 3 } });
    const volumes = STEPS.map((namespace) => ({ namespace, name: "data" }));
    await Promise.all(volumes.map(async (volume) => bed.volume(volume)));
    await backUp(bed.velero, "night", ...STEPS);
    for (const volume of volumes) retained.set(volume.namespace, await retainedOf(bed, "night", volume));
  });
  after(async () => bed.stop());

  for (const victims of [
    ["controller"],
    ["webhook"],
    ["webhook", "controller"],
    ["node-agent"],
    ["server"],
  ] as const) {
    test(`${victims.join(" and ")} lose nothing and leave nothing behind`, async () => {
      const word = victims.join("-");
      const kill = oneAtATime(async () => replace(bed, victims));
      await Promise.all(STEPS.map(async (step) => holdAt(bed.cluster.array, retained.get(step) ?? "", step)));
      await Promise.all(
        STEPS.map(async (step) => {
          const restore = `${step}-${word}`;
          await bed.velero.beginRestore(restore, {
            backup: "night",
            namespaceMappings: { [step]: restore },
            flags: [`--include-namespaces=${step}`],
          });
          // Velero gives up a Restore whose server dies while it creates objects, with us or without.
          if (victims.some((victim) => victim === "server")) await waitsForData(bed, restore);
          await reaches(bed, restore, step);
          await kill();
        }),
      );
      for (const step of STEPS) await letGo(bed.cluster.array, retained.get(step) ?? "");
      for (const step of STEPS) {
        const restore = `${step}-${word}`;
        const { phase, errors } = await bed.velero.restoreEnded(restore);
        assert.deepEqual({ phase, errors }, { phase: "Completed", errors: 0 }, restore);
        const { source } = await restoredFrom(bed, { namespace: restore, name: "data" });
        assert.equal(source, retained.get(step), restore);
      }
      await nothingLeft(bed);
      for (const snapshot of retained.values()) await isStillRetained(bed, snapshot);
    });
  }
});

/** Kills these at once, starts successors, and returns when they are ready. */
async function replace({ product, velero }: Bed, victims: readonly Victim[]): Promise<void> {
  await Promise.all(
    victims.map(async (victim) => {
      if (victim === "server" || victim === "node-agent") {
        velero.kill(victim, "SIGKILL");
        await velero.start(victim);
        return;
      }
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

/** All objects are created, and what is left is the data's. */
async function waitsForData({ api, velero }: Bed, restore: string): Promise<void> {
  await eventually(
    `${restore} waits for its data`,
    async () => {
      const { status } = await api.read({
        apiVersion: "velero.io/v1",
        kind: "Restore",
        metadata: { name: restore, namespace: velero.namespace },
      });
      const begun = ["", "New", "InProgress", undefined];
      assert.ok(!begun.some((phase) => phase === status["phase"]));
    },
    PATIENCE_MS,
  );
}
