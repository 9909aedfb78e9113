import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { randomInt } from "node:crypto";
import { after, before, describe, test } from "node:test";
import { promisify } from "node:util";
import * as z from "zod";
import { availableBinaries } from "../cluster/availability.ts";
import { startCluster } from "../cluster/cluster.ts";
import type { Cluster } from "../cluster/cluster.ts";
import { PROGRAM } from "../program.ts";
import { createApi } from "./api.ts";
import { installProduct, NAMESPACE } from "./product.ts";
import type { Product } from "./product.ts";
import { createVolume, disturb, holds, playNext } from "./random-history.ts";
import type { Random, Stage, Volume } from "./random-history.ts";
import { prune } from "./retention-model.ts";

/**
 * A long random history on the real control plane, with the real snapshot components, webhook and controller, and beside
 * it a model of forty lines. After each round, what the array holds has to be what the model says, snapshot by snapshot.
 * SEED=… plays a history again, ROUNDS=… makes it longer.
 */
const { binaries, skip } = await availableBinaries("demo");
const SEED = Number(process.env["SEED"] ?? randomInt(1_000_000));
const ROUNDS = Number(process.env["ROUNDS"] ?? 42);
const VOLUMES = 12;

describe(`a random history (SEED=${SEED} plays it again)`, { skip }, () => {
  let cluster: Cluster | undefined;
  let product: Product | undefined;
  let stage: Stage;
  const volumes: Volume[] = [];
  let number = 2;

  before(async () => {
    cluster = await startCluster({ ...(binaries && { binaries }) });
    const api = await createApi(cluster);
    product = await installProduct(cluster, { policy: policyOf(number) });
    await (await product.startController()).ready();
    await api.create({ apiVersion: "v1", kind: "Namespace", metadata: { name: "shop" } });
    for (let index = 0; index < VOLUMES; index++) {
      volumes.push(await createVolume(api, `data-${index}`));
    }
    stage = { cluster, api, product, random: generator(SEED) };
  });
  after(async () => {
    await product?.stop();
    await cluster?.stop({ keep: process.env["KEEP"] === "1" });
  });

  test(`after each of ${ROUNDS} rounds the array holds exactly what the model says`, async (t) => {
    let steps = 0;
    for (let round = 1; round <= ROUNDS; round++) {
      const disturbed = disturb(stage);
      await Promise.all(
        volumes.map(async (volume) => playNext(stage, { volume, name: `r${round}-${volume.name}`, number })),
      );
      steps += volumes.length + ((await disturbed) ? 1 : 0);
      if (round % 3 === 0) {
        await editPolicy();
        steps++;
      }
      await Promise.all(volumes.map(async (volume) => holds(stage, volume)));
      if (round % 10 === 0)
        t.diagnostic(`round ${round}: ${steps} steps, number ${number}, ${retained()} retained`);
    }
    assert.ok(ROUNDS < 42 || steps >= 500, `only ${steps} steps`);
    t.diagnostic(`${steps} steps`);
  });

  test("and the printed plan says the same, and that nothing is left to do", async () => {
    const { snapshots } = await readPlan(stage.cluster.kubeconfig);
    const kept = volumes.flatMap(({ model }) => model.retained.map(({ handle }) => handle));
    assert.deepEqual(snapshots.map(({ handle }) => handle).toSorted(), kept.toSorted());
    assert.deepEqual(
      snapshots.filter(({ decision }) => decision !== "kept"),
      [],
    );
  });

  async function editPolicy(): Promise<void> {
    number = stage.random.below(5);
    await stage.product.applyPolicy(policyOf(number));
    for (const volume of volumes) volume.model = prune(volume.model, number);
  }

  function retained(): number {
    return volumes.reduce((sum, { model }) => sum + model.retained.length, 0);
  }
});

const PrintedPlan = z.object({
  volumes: z.array(z.object({ snapshots: z.array(z.object({ handle: z.string(), decision: z.string() })) })),
});

/** What `snapshot-retainer plan` prints of the cluster, as an administrator runs it. */
async function readPlan(kubeconfig: string): Promise<z.infer<typeof PrintedPlan>["volumes"][number]> {
  const args = [PROGRAM, "plan", "--kubeconfig", kubeconfig, "--namespace", NAMESPACE, "-o", "json"];
  const { stdout } = await promisify(execFile)(process.execPath, args);
  const { volumes } = PrintedPlan.parse(JSON.parse(stdout));
  return { snapshots: volumes.flatMap(({ snapshots }) => snapshots) };
}

function policyOf(number: number): object {
  return {
    snapshotsToRetain: number,
    deletionsPerMinute: 10_000,
    ceilings: { drivers: { "array.csi.snapshot-retainer.io": 32 } },
  };
}

/** A small generator with a seed (mulberry32). */
function generator(seed: number): Random {
  let state = seed;
  function next(): number {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  }
  return {
    below: (end) => Math.floor(next() * end),
    pick: (from) => from[Math.floor(next() * from.length)],
  };
}
