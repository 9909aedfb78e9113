import fc from "fast-check";
import type { World } from "../../src/retention/world.ts";
import type { aPolicy } from "./policy.ts";
import {
  aDeleteRequest,
  aWorld,
  claimed,
  cloneSnapshot,
  NOW,
  reservation,
  retained,
  taking,
  waitingFor,
} from "./world.ts";

const DAY = 24 * 3_600_000;

/** A world, and the time in it. */
export interface Moment {
  readonly world: World;
  readonly now: number;
}

/** What happens to the snapshot of this index, or to its surroundings. */
type Change = (moment: Moment, index: number) => Moment;

function inWorld(change: (world: World, index: number) => Partial<World>): Change {
  return ({ world, now }, index) => ({ world: { ...world, ...change(world, index) }, now });
}

type Listed = "contents" | "dataUploads" | "backups" | "claims" | "volumes";

function without(kind: Listed): Change {
  return inWorld((world, index) => ({ [kind]: world[kind].filter((_, at) => at !== index) }));
}

/** The object as the watch brings a new version of it. */
function changed(kind: Listed, change: object): Change {
  return inWorld((world, index) => ({
    [kind]: world[kind].map((object, at) => (at === index ? merged(object, change) : object)),
  }));
}

function merged(object: object, change: object): object {
  const before = new Map<string, unknown>(Object.entries(object));
  const parts = Object.entries(change).map(([key, value]: [string, unknown]): [string, unknown] => {
    const old = before.get(key);
    return [key, isObject(old) && isObject(value) ? merged(old, value) : value];
  });
  return { ...object, ...Object.fromEntries<unknown>(parts) };
}

function isObject(value: unknown): value is object {
  return typeof value === "object" && value !== null;
}

function added(part: (index: number) => readonly Partial<World>[]): Change {
  return inWorld((world, index) => aWorld(world, ...part(index)));
}

const changes: Record<string, Change> = {
  nothing: (moment) => moment,
  "an hour passes": ({ world, now }) => ({ world, now: now + 3_600_000 }),
  "forty days pass": ({ world, now }) => ({ world, now: now + 40 * DAY }),
  "a content goes": without("contents"),
  "a DataUpload goes": without("dataUploads"),
  "a Backup goes": without("backups"),
  "a claim goes": without("claims"),
  "a volume goes": without("volumes"),
  "a content is touched": changed("contents", { metadata: { resourceVersion: "99" } }),
  "a content is pinned": changed("contents", {
    metadata: { labels: { "snapshot-retainer.io/pin": "true" } },
  }),
  "a content is no longer ready": changed("contents", { status: { readyToUse: false } }),
  "a content is being deleted": changed("contents", {
    metadata: { deletionTimestamp: "2026-11-24T11:00:00Z" },
  }),
  "a content stands for another's snapshot": changed("contents", {
    spec: { source: { snapshotHandle: "handle-s0" } },
    status: { snapshotHandle: "handle-s0" },
  }),
  "a DataUpload fails": changed("dataUploads", { status: { phase: "Failed" } }),
  "a Backup fails": changed("backups", { status: { phase: "Failed" } }),
  "a Backup is being deleted": changed("backups", { status: { phase: "Deleting" } }),
  "a Backup's deletion is asked for": added((index) => [
    { deleteBackupRequests: [aDeleteRequest(`b-s${index}`, "InProgress")] },
  ]),
  "a Backup was seen being deleted": inWorld((_, index) => ({
    deletions: new Map([[`velero/b-s${index}`, NOW]]),
  })),
  "a claim gets other labels": changed("claims", { metadata: { labels: { tier: "silver" } } }),
  "a claim gets another volume": changed("claims", { spec: { volumeName: "pv-other" } }),
  "room is asked for": added(() => [reservation("1s")]),
  "a snapshot is on its way": added((index) => [taking(`new-${index}`, "1m")]),
  "another snapshot is retained": added((index) => [retained(`more-${index}`, "30m")]),
  "one of the same volume comes under another name": added((index) => [
    retained(`alias-${index}`, "20m", { pvc: "again" }),
  ]),
  "a claim waits for a snapshot": added((index) => [cloneSnapshot(`s${index}`), waitingFor(`s${index}`)]),
  "a content vanishes": inWorld((world, index) => ({
    contents: world.contents.filter((_, at) => at !== index),
    vanished: [...world.vanished, ...world.contents.slice(index, index + 1)],
  })),
};

/** Worlds that follow one upon another, by what may happen to snapshots. */
export const someHistory: fc.Arbitrary<readonly Moment[]> = fc
  .record({
    pvcs: fc.array(fc.constantFrom("data", "data", "logs"), { minLength: 1, maxLength: 8 }),
    steps: fc.array(
      fc.record({ change: fc.constantFrom(...Object.keys(changes)), index: fc.nat({ max: 7 }) }),
      {
        maxLength: 6,
      },
    ),
  })
  .map(({ pvcs, steps }) => {
    const snapshots = pvcs.map((pvc, index) =>
      retained(`s${index}`, `${index + 1}d`, { pvc, volumeHandle: pvc === "data" ? "vol-1" : "vol-2" }),
    );
    const moments: Moment[] = [{ world: aWorld(...snapshots, claimed(), anotherClaim()), now: NOW }];
    for (const { change, index } of steps) {
      const [last = { world: aWorld(), now: NOW }] = moments.slice(-1);
      moments.push(changes[change]?.(last, index) ?? last);
    }
    return moments;
  });

function anotherClaim(): Partial<World> {
  return claimed({ metadata: { name: "logs", uid: "uid-logs" } }, { metadata: { name: "pv-2" } });
}

type Policy = Parameters<typeof aPolicy>[0];

/** Policies with whatever may change a judgement. */
export const somePolicy: fc.Arbitrary<Policy> = fc.record(
  {
    snapshotsToRetain: fc.integer({ min: 0, max: 8 }),
    mode: fc.constantFrom("enforce", "enforce", "audit", "paused"),
    keepAtLeastOne: fc.boolean(),
    maxAge: fc.constantFrom("30d", "60d"),
    minAge: fc.constantFrom("1h", "3d"),
    keep: fc.record({ daily: fc.integer({ min: 0, max: 3 }) }),
    ceilings: fc.constantFrom({}, { drivers: { "rbd.csi.ceph.com": 3 } }),
    rules: fc.constantFrom(
      [],
      [{ name: "gold", when: { pvcLabels: { tier: "gold" } }, snapshotsToRetain: 4 }],
    ),
  },
  { requiredKeys: ["snapshotsToRetain"] },
);
