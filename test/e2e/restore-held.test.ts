import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { eventually } from "./eventually.ts";
import type { Manifest } from "./objects.ts";
import { replace, waitsForData } from "./restore-deaths.ts";
import type { Victim } from "./restore-deaths.ts";
import {
  aClaimNamed,
  decisionsOf,
  downloadsOf,
  isStillRetained,
  nothingLeft,
  restoredFrom,
  retainedOf,
  untilLed,
} from "./restore-bed.ts";
import { heldName, HOLDS, isHeldAt, refusedName, startHolding, stopHolding } from "./restore-holds.ts";
import type { Held, Hold } from "./restore-holds.ts";
import { available, backUp, PATIENCE_MS, startBed } from "./retention-bed.ts";
import type { Bed } from "./retention-bed.ts";

/**
 * What may happen to a restore from a retained snapshot at each of its writes: the controller is held just before each of them, all
 * that may happen happens there, and then it goes on. All restores are of one snapshot.
 */
const { skip } = available;

const POLICY = { snapshotsToRetain: 2, restore: { readyWithin: "10m", handBackAfter: "5m" } };

/** At the end Velero looks every ten seconds for a claim to be bound, and gives up after this; ten minutes else. */
const VELERO = { nodes: 6, serverFlags: ["--resource-timeout=15s"] };

interface Event {
  /** Also part of the Restore's name. */
  readonly word: string;
  readonly what: string;
  readonly at: readonly Hold[];
  readonly flags?: readonly string[];
  readonly happen: (bed: Bed, restore: string, held: Held) => Promise<void>;
  /** How the DataDownload ends; undefined where it is gone. */
  readonly download: string | undefined;
  /** How the Restore ends; undefined where it is gone. */
  readonly restore: string | undefined;
  readonly from?: "data movement" | "retained snapshot";
}

const BEFORE_BOUND = ["commit", "hold", "detach", "reserve"] as const;
const BOUND = ["unhold", "complete"] as const;
/** Writes that may be refused for good while the target claim is as it was. */
const REFUSED = ["hold", "detach", "reserve"] as const;

const EVENTS: readonly Event[] = [
  {
    word: "cancelled",
    what: "is cancelled",
    at: ["accept", ...BEFORE_BOUND],
    happen: cancel,
    download: "Canceled",
    restore: "PartiallyFailed",
  },
  {
    word: "late",
    what: "is cancelled when its claim is bound",
    at: BOUND,
    happen: cancel,
    download: "Completed",
    restore: "Completed",
    from: "retained snapshot",
  },
  {
    word: "deleted",
    what: "is deleted",
    at: HOLDS,
    happen: async ({ velero }, restore) => {
      await velero.velero(["restore", "delete", restore, "--confirm"]);
    },
    download: undefined,
    restore: undefined,
  },
  {
    word: "targetless",
    what: "loses its target claim",
    at: [...BEFORE_BOUND, ...BOUND],
    happen: removeTarget,
    download: "Failed",
    restore: "PartiallyFailed",
  },
  {
    word: "never",
    what: "loses its target claim before it begins, and takes longer than Velero waits",
    at: ["accept"],
    flags: ["--item-operation-timeout=30s"],
    happen: removeTarget,
    download: "Canceled",
    restore: "PartiallyFailed",
  },
  {
    word: "volumeless",
    what: "loses the volume that was made for it",
    // Later, when its policy is Retain, Kubernetes would forget it without freeing it, as it does with any such volume.
    at: ["hold"],
    happen: async ({ api }, _restore, { volume }) => {
      assert.ok(volume);
      await api.remove(volume);
    },
    download: "Completed",
    restore: "Completed",
    from: "data movement",
  },
  {
    word: "taken",
    what: "sees somebody else bind its target claim, as Velero's own would",
    at: BEFORE_BOUND,
    happen: bindTarget,
    download: "Failed",
    restore: "PartiallyFailed",
  },
];

describe("a restore that is held at each of its writes", { skip, timeout: 1_500_000 }, () => {
  let bed: Bed;
  let snapshot: string;

  before(async () => {
    bed = await startBed({ policy: POLICY, velero: VELERO });
    await bed.volume({ namespace: "source", name: "data" });
    await backUp(bed.velero, "night", "source");
    snapshot = await retainedOf(bed, "night", { namespace: "source", name: "data" });
  });
  after(async () => bed.stop());

  async function beginRestore(name: string, flags: readonly string[] = []): Promise<void> {
    await bed.velero.beginRestore(name, {
      backup: "night",
      namespaceMappings: { source: name },
      flags: ["--include-namespaces=source", ...flags],
    });
  }

  async function beginHeld(hold: Hold, word: string, flags?: readonly string[]): Promise<Held> {
    const name = heldName(hold, word);
    await beginRestore(name, flags);
    return isHeldAt(bed, hold, name);
  }

  async function endsAs(event: Event, name: string): Promise<void> {
    await eventually(
      `the DataDownload of ${name} has ended`,
      async () => {
        const [download] = await downloadsOf(bed.api, name);
        assert.equal(download?.status["phase"], event.download);
      },
      PATIENCE_MS,
    );
    if (event.restore === undefined) return;
    assert.equal((await bed.velero.restoreEnded(name)).phase, event.restore);
    if (event.from !== undefined) await isFrom(event.from, name);
  }

  async function isHandedBack(name: string): Promise<void> {
    await eventually(
      `${name} is handed back`,
      async () => {
        const [decision = ""] = await decisionsOf(bed.api, name);
        assert.match(decision, /handed back to Velero: the volume could not be given to the claim: .*here/);
      },
      PATIENCE_MS,
    );
  }

  async function isFrom(from: "data movement" | "retained snapshot", name: string): Promise<void> {
    const { source } = await restoredFrom(bed, { namespace: name, name: "data" });
    assert.equal(source, from === "data movement" ? undefined : snapshot, name);
    const [decision = ""] = await decisionsOf(bed.api, name);
    assert.ok(decision.includes(from), decision);
  }

  describe("ends as it should when it", { concurrency: true }, () => {
    before(async () => {
      await startHolding(bed);
      const cases = EVENTS.flatMap((event) => event.at.map((hold) => ({ event, hold })));
      await Promise.all([
        ...cases.map(async ({ event, hold }) => {
          const held = await beginHeld(hold, event.word, event.flags);
          await event.happen(bed, heldName(hold, event.word), held);
        }),
        ...REFUSED.map(async (hold) => {
          await beginRestore(refusedName(hold));
          await isHandedBack(refusedName(hold));
        }),
      ]);
      await stopHolding(bed);
    });

    for (const hold of REFUSED) {
      test(`is refused its write (${hold})`, async () => {
        const { phase, errors } = await bed.velero.restoreEnded(refusedName(hold));
        assert.deepEqual({ phase, errors }, { phase: "Completed", errors: 0 });
        await isFrom("data movement", refusedName(hold));
      });
    }

    for (const event of EVENTS) {
      for (const hold of event.at) {
        test(`${event.what} (at ${hold})`, async () => endsAs(event, heldName(hold, event.word)));
      }
    }
  });

  test("and nothing is left of any, and the snapshot is retained", async () => {
    await nothingLeft(bed);
    await isStillRetained(bed, snapshot);
  });

  const victims: readonly (readonly Victim[])[] = [
    ["controller"],
    ["webhook"],
    ["webhook", "controller"],
    ["node-agent"],
    ["server"],
  ];
  for (const killed of victims) {
    test(`completes from the snapshot though ${killed.join(" and ")} was killed`, async () => {
      const word = killed.join("-");
      await untilLed(bed);
      await startHolding(bed);
      await Promise.all(HOLDS.map(async (hold) => beginHeld(hold, word)));
      // Velero gives up a Restore whose server dies while it creates objects, with us or without.
      await Promise.all(HOLDS.map(async (hold) => waitsForData(bed, heldName(hold, word))));
      await replace(bed, killed);
      await stopHolding(bed);
      for (const hold of HOLDS) {
        const name = heldName(hold, word);
        const { phase, errors } = await bed.velero.restoreEnded(name);
        assert.deepEqual({ phase, errors }, { phase: "Completed", errors: 0 }, name);
        await isFrom("retained snapshot", name);
      }
      await nothingLeft(bed);
      await isStillRetained(bed, snapshot);
    });
  }
});

async function cancel({ api }: Bed, _restore: string, { download }: Held): Promise<void> {
  await api.patch(download, { spec: { cancel: true } });
}

async function removeTarget({ api }: Bed, restore: string): Promise<void> {
  await api.remove(aClaimNamed(restore, "data"));
}

/** By a volume that is reserved for the claim, as an admin binds one by hand. */
async function bindTarget({ api }: Bed, restore: string): Promise<void> {
  const target = aClaimNamed(restore, "data");
  const { spec } = await api.read(target);
  const volume: Manifest = {
    apiVersion: "v1",
    kind: "PersistentVolume",
    metadata: { name: restore },
    spec: {
      accessModes: spec["accessModes"],
      capacity: { storage: "100Gi" },
      storageClassName: spec["storageClassName"],
      csi: { driver: "array.csi.snapshot-retainer.io", volumeHandle: `by-hand-${restore}` },
      claimRef: { namespace: restore, name: "data" },
    },
  };
  await api.create(volume);
  await eventually(`the claim of ${restore} is bound by hand`, async () =>
    assert.equal((await api.read(target)).spec["volumeName"], restore),
  );
}
