import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { eventually } from "./eventually.ts";
import {
  aClaimNamed,
  decisionsOf,
  downloadsOf,
  isStillRetained,
  nothingLeft,
  restoredFrom,
  retainedOf,
} from "./restore-bed.ts";
import { holdAt, letGo, reaches } from "./restore-steps.ts";
import type { Step } from "./restore-steps.ts";
import { available, backUp, PATIENCE_MS, startBed } from "./retention-bed.ts";
import type { Bed } from "./retention-bed.ts";

/** What may happen to a restore from a retained snapshot while the storage is at work for it. */
const { skip } = available;

const POLICY = { snapshotsToRetain: 2, restore: { readyWithin: "5m" } };

/** At the end Velero looks every ten seconds for a claim to be bound, and gives up after this; ten minutes else. */
const VELERO = { nodes: 6, serverFlags: ["--resource-timeout=15s"] };

interface Interruption {
  readonly what: string;
  /** Also part of the namespaces' names. */
  readonly word: string;
  readonly flags?: readonly string[];
  readonly interrupt: (bed: Bed, restore: string) => Promise<void>;
  /** How the DataDownload ends; undefined where it is gone. */
  readonly phases: readonly (string | undefined)[];
}

const INTERRUPTIONS: readonly Interruption[] = [
  {
    what: "is cancelled",
    word: "cancelled",
    interrupt: async ({ api }, restore) => {
      const [download] = await downloadsOf(api, restore);
      assert.ok(download);
      await api.patch(download, { spec: { cancel: true } });
    },
    phases: ["Canceled"],
  },
  {
    what: "takes longer than Velero waits",
    word: "late",
    flags: ["--item-operation-timeout=20s"],
    interrupt: async () => undefined,
    phases: ["Canceled"],
  },
  {
    what: "is deleted",
    word: "deleted",
    interrupt: async ({ velero }, restore) => {
      await velero.velero(["restore", "delete", restore, "--confirm"]);
    },
    phases: [undefined],
  },
  {
    what: "loses its target claim",
    word: "targetless",
    interrupt: async ({ api }, restore) => api.remove(aClaimNamed(`${restore}-too`, "data")),
    phases: ["Failed", "Canceled"],
  },
];

const HELD: readonly Step[] = ["snapshot", "volume"];

describe("a restore", { skip, timeout: 600_000 }, () => {
  let bed: Bed;
  /** By namespace. */
  const retained = new Map<string, string>();

  before(async () => {
    bed = await startBed({ policy: POLICY, velero: VELERO });
    const namespaces = [
      ...HELD.flatMap((step) => INTERRUPTIONS.map(({ word }) => `${word}-${step}`)),
      "used",
    ];
    const claims = namespaces.map((namespace) => ({ namespace, name: "data" }));
    const many = ["one", "two", "three", "four"].map((name) => ({ namespace: "many", name }));
    const more = [{ namespace: "used", name: "idle" }, ...many];
    await Promise.all([...claims, ...more].map(async (claim) => bed.volume(claim)));
    await backUp(bed.velero, "night", ...namespaces, "many");
    for (const claim of [...claims, ...more]) {
      const key = claim.name === "data" ? claim.namespace : `${claim.namespace}/${claim.name}`;
      retained.set(key, await retainedOf(bed, "night", claim));
    }
  });
  after(async () => bed.stop());

  async function beginRestore(namespace: string, flags: readonly string[] = []): Promise<void> {
    await bed.velero.beginRestore(namespace, {
      backup: "night",
      namespaceMappings: { [namespace]: `${namespace}-too` },
      flags: [`--include-namespaces=${namespace}`, ...flags],
    });
  }

  describe("ends and leaves nothing behind", { concurrency: true }, () => {
    for (const step of HELD) {
      for (const { what, word, flags, interrupt, phases } of INTERRUPTIONS) {
        test(`when it ${what} while its ${step} is made`, async () => {
          const name = `${word}-${step}`;
          const snapshot = retained.get(name) ?? "";
          await holdAt(bed.cluster.array, snapshot, step);
          await beginRestore(name, flags);
          await reaches(bed, name, step);
          await interrupt(bed, name);
          await eventually(
            `the DataDownload of ${name} has ended`,
            async () => {
              const [download] = await downloadsOf(bed.api, name);
              assert.ok(phases.includes(phaseOf(download?.status["phase"])));
            },
            PATIENCE_MS,
          );
          if (word !== "deleted") {
            assert.equal((await bed.velero.restoreEnded(name)).phase, "PartiallyFailed");
          }
          await letGo(bed.cluster.array, snapshot);
          await isStillRetained(bed, snapshot);
        });
      }
    }
  });

  test("and nothing is left of any", async () => nothingLeft(bed));

  test("keeps the snapshot that it reads from pruning, until it is done", async () => {
    const { array } = bed.cluster;
    const [used = "", idle = ""] = [retained.get("used"), retained.get("used/idle")];
    await holdAt(array, used, "volume");
    await beginRestore("used");
    await eventually("both are restored, as far as the array lets them", async () => {
      const states = (await downloadsOf(bed.api, "used")).map(({ status }) => phaseOf(status["phase"]));
      assert.equal(states.filter((phase) => phase === "Completed").length, 1);
    });
    await bed.product.applyPolicy({ ...POLICY, rules: [nothingOf("used")] });
    await eventually("the other one is pruned", async () => assert.ok(!(await held(bed)).includes(idle)));
    assert.ok((await held(bed)).includes(used));
    await letGo(array, used);
    const { phase, errors } = await bed.velero.restoreEnded("used");
    assert.deepEqual({ phase, errors }, { phase: "Completed", errors: 0 });
    assert.equal((await restoredFrom(bed, { namespace: "used-too", name: "data" })).source, used);
    await eventually("it is pruned", async () => assert.ok(!(await held(bed)).includes(used)));
  });

  test("does not wait for pruning", async () => {
    const many = ["one", "two", "three", "four"].map((name) => retained.get(`many/${name}`) ?? "");
    await bed.product.applyPolicy({ ...POLICY, deletionsPerMinute: 1, rules: [nothingOf("many")] });
    await beginRestore("many");
    const { phase, errors } = await bed.velero.restoreEnded("many");
    assert.deepEqual({ phase, errors }, { phase: "Completed", errors: 0 });
    const decisions = await decisionsOf(bed.api, "many");
    const fromRetained = decisions.filter((decision) => decision.startsWith("from retained snapshot"));
    // One may have gone before the restore began; the others wait for theirs, a minute each.
    assert.ok(fromRetained.length >= many.length - 1, decisions.join("; "));
    const there = await held(bed);
    assert.ok(many.some((snapshot) => there.includes(snapshot)));
  });

  test("and nothing is left of these, either", async () => nothingLeft(bed));
});

function nothingOf(namespace: string): object {
  return { name: "nothing", when: { namespaces: [namespace] }, snapshotsToRetain: 0 };
}

async function held({ cluster }: Bed): Promise<string[]> {
  return (await cluster.array.state()).snapshots.map(({ id }) => id);
}

function phaseOf(phase: unknown): string | undefined {
  return typeof phase === "string" ? phase : undefined;
}
