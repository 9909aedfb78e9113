import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { isStillRetained, nothingLeft, restoredFrom, retainedOf, untilLed } from "./restore-bed.ts";
import { replace, waitsForData } from "./restore-deaths.ts";
import { holdAt, letGo, reaches } from "./restore-steps.ts";
import type { Step } from "./restore-steps.ts";
import { available, backUp, startBed } from "./retention-bed.ts";
import type { Bed } from "./retention-bed.ts";

/**
 * Our own processes and Velero's are killed while restores from retained snapshots are at every step. Each has to end as it
 * would have, with nothing left behind and nothing of the retained snapshots lost.
 */
const { skip } = available;

const POLICY = { snapshotsToRetain: 2, restore: { readyWithin: "5m", handBackAfter: "2m" } };

/** Each step has a namespace with a volume of its own. */
const KILLED_AT = ["over", "snapshot", "volume", "asked"] as const;

describe("killed at every step of a restore and replaced,", { skip, timeout: 900_000 }, () => {
  let bed: Bed;
  /** By step. */
  const retained = new Map<Step, string>();

  before(async () => {
    bed = await startBed({ policy: POLICY, velero: { nodes: 3 } });
    const volumes = KILLED_AT.map((namespace) => ({ namespace, name: "data" }));
    await Promise.all(volumes.map(async (volume) => bed.volume(volume)));
    await backUp(bed.velero, "night", ...KILLED_AT);
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
      await untilLed(bed);
      await forEachStep(async (step, snapshot) => holdAt(bed.cluster.array, snapshot, step));
      await Promise.all((["over", "snapshot", "volume"] as const).map(async (step) => bringTo(step, word)));
      await bringTo("asked", word);
      await replace(bed, victims);
      await forEachStep(async (_step, snapshot) => letGo(bed.cluster.array, snapshot));
      await reaches(bed, `asked-${word}`, "binding");
      await replace(bed, victims);
      await forEachStep(async (step, snapshot) => isRestored(`${step}-${word}`, snapshot));
      await nothingLeft(bed);
      await forEachStep(async (_step, snapshot) => isStillRetained(bed, snapshot));
    });
  }

  async function forEachStep(act: (step: Step, snapshot: string) => Promise<void>): Promise<void> {
    await Promise.all([...retained].map(async ([step, snapshot]) => act(step, snapshot)));
  }

  async function bringTo(step: Step, word: string): Promise<void> {
    const restore = `${step}-${word}`;
    await bed.velero.beginRestore(restore, {
      backup: "night",
      namespaceMappings: { [step]: restore },
      flags: [`--include-namespaces=${step}`],
    });
    await reaches(bed, restore, step);
    // Velero gives up a Restore whose server dies while it creates objects, with us or without.
    await waitsForData(bed, restore);
  }

  async function isRestored(restore: string, snapshot: string): Promise<void> {
    const { phase, errors } = await bed.velero.restoreEnded(restore);
    assert.deepEqual({ phase, errors }, { phase: "Completed", errors: 0 }, restore);
    const { source } = await restoredFrom(bed, { namespace: restore, name: "data" });
    assert.equal(source, snapshot, restore);
  }
});
