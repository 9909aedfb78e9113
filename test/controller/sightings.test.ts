import assert from "node:assert/strict";
import { test } from "node:test";
import { createSightings } from "../../src/controller/sightings.ts";
import type { Lease } from "../../src/kube/lease.ts";
import type { VolumeSnapshotContent } from "../../src/retention/objects.ts";

function aRoom(holder: string, annotations: Record<string, string> = {}): Lease {
  return {
    metadata: {
      name: "room",
      annotations: {
        "snapshot-retainer.io/volume": "shop/data",
        "snapshot-retainer.io/volume-name": "shop.data",
        "snapshot-retainer.io/backup": "velero/nightly",
        ...annotations,
      },
    },
    spec: { holderIdentity: holder },
  };
}

function aContent(labels: Record<string, string>, deletionPolicy = "Retain"): VolumeSnapshotContent {
  const source = { snapshotHandle: "snap-1" };
  return {
    metadata: { name: "b1-x", labels },
    spec: { driver: "array", deletionPolicy, source, volumeSnapshotRef: {} },
  };
}

const RETAINED = { "snapshot-retainer.io/retained": "true" };

test("a request for room is as old as the first sight of its id, answered or not", () => {
  const sightings = createSightings();
  assert.equal(sightings.roomChanged(aRoom("a"), undefined, 10), true);
  const answered = aRoom("a", { "snapshot-retainer.io/room-answer": "a granted" });
  assert.equal(sightings.roomChanged(answered, aRoom("a"), 20), false);
  const reservation = {
    volume: { namespace: "shop", name: "data" },
    volumeName: "shop.data",
    backup: { namespace: "velero", name: "nightly" },
    holder: "a",
    seenAtMs: 10,
    askedAtMs: 10,
  };
  assert.deepEqual(sightings.read(30).reservations, [reservation]);
});

test("asked again, it is a new request in the place of the old", () => {
  const sightings = createSightings();
  sightings.roomChanged(aRoom("a"), undefined, 10);
  assert.equal(sightings.roomChanged(aRoom("b"), aRoom("a"), 20), true);
  assert.deepEqual(
    sightings.read(30).reservations.map(({ holder, seenAtMs }) => [holder, seenAtMs]),
    [["b", 20]],
  );
});

test("a request ends with its Lease, or with its id", () => {
  const sightings = createSightings();
  sightings.roomChanged(aRoom("a"), undefined, 10);
  assert.equal(sightings.roomChanged(undefined, aRoom("a"), 20), false);
  assert.deepEqual(sightings.read(30).reservations, []);
  sightings.roomChanged(aRoom("b"), undefined, 40);
  sightings.roomChanged(aRoom(""), aRoom("b"), 50);
  assert.deepEqual(sightings.read(60).reservations, []);
});

for (const key of ["volume", "volume-name"]) {
  test(`a Lease without a usable ${key} asks for nothing`, () => {
    const sightings = createSightings();
    const lease = aRoom("a", { "snapshot-retainer.io/volume": "no-slash" });
    if (key === "volume-name") {
      lease.metadata.annotations = { "snapshot-retainer.io/volume": "shop/data" };
    }
    assert.equal(sightings.roomChanged(lease, undefined, 10), false);
    assert.deepEqual(sightings.read(20).reservations, []);
  });
}

test("a Backup that is Deleting is remembered, also when it is gone before anybody looks", () => {
  const sightings = createSightings();
  const metadata = { namespace: "velero", name: "b1" };
  sightings.backupChanged({ metadata, status: { phase: "Completed" } }, 5);
  assert.deepEqual([...sightings.read(20).deletions], []);
  sightings.backupChanged({ metadata, status: { phase: "Deleting" } }, 10);
  sightings.backupChanged(undefined, 11);
  assert.deepEqual([...sightings.read(20).deletions], [["velero/b1", 10]]);
});

test("a DeleteBackupRequest in progress is remembered; a new or a processed one is not", () => {
  const sightings = createSightings();
  const metadata = { namespace: "velero", name: "b1-xyz" };
  for (const phase of ["New", "Processed", "InProgress"]) {
    sightings.deleteBackupRequestChanged({ metadata, spec: { backupName: phase }, status: { phase } }, 10);
  }
  assert.deepEqual([...sightings.read(20).deletions], [["velero/InProgress", 10]]);
});

test("what a plan leaves to the next takes the place of what was remembered", () => {
  const sightings = createSightings();
  sightings.backupChanged(
    { metadata: { namespace: "velero", name: "b1" }, status: { phase: "Deleting" } },
    1,
  );
  const memory = { deletions: new Map([["velero/b2", 2]]), missingSince: new Map([["velero/b3", 3]]) };
  sightings.remember(memory);
  const { deletions, missingSince } = sightings.read(20);
  assert.deepEqual({ deletions, missingSince }, memory);
});

test("a deletion is forgotten after a day", () => {
  const sightings = createSightings();
  const day = 24 * 60 * 60_000;
  for (const [name, at] of [
    ["b1", 1],
    ["b2", 2],
  ] as const) {
    sightings.backupChanged({ metadata: { namespace: "velero", name }, status: { phase: "Deleting" } }, at);
  }
  assert.equal(sightings.read(day).deletions.size, 2);
  assert.deepEqual([...sightings.read(day + 1).deletions], [["velero/b2", 2]]);
});

test("only frees of the last minute count", () => {
  const sightings = createSightings();
  sightings.freeBegan(1_000);
  sightings.freeBegan(2_000);
  assert.deepEqual(sightings.read(60_999).freedAt, [1_000, 2_000]);
  assert.deepEqual(sightings.read(61_000).freedAt, [2_000]);
  sightings.freeBegan(70_000);
  assert.deepEqual(sightings.read(70_000).freedAt, [70_000]);
});

const contents: Record<string, { before: VolumeSnapshotContent; want: boolean }> = {
  "a retained one": { before: aContent(RETAINED), want: true },
  "one that is being freed": { before: aContent(RETAINED, "Delete"), want: false },
  "one that is not retained": { before: aContent({}), want: false },
};
for (const [name, { before, want }] of Object.entries(contents)) {
  test(`${name} that disappears is ${want ? "" : "not "}missed`, () => {
    const sightings = createSightings();
    sightings.contentChanged(before, undefined);
    assert.deepEqual(sightings.read(0).vanished, []);
    sightings.contentChanged(undefined, before);
    assert.deepEqual(sightings.read(0).vanished, want ? [before] : []);
  });
}

test("one that is back is missed no more", () => {
  const sightings = createSightings();
  sightings.contentChanged(undefined, aContent(RETAINED));
  sightings.contentChanged(aContent({}), undefined);
  assert.deepEqual(sightings.read(0).vanished, []);
});

test("what went with the policy Delete is known to be gone, until there is one of its name again", () => {
  const sightings = createSightings();
  const content = aContent({}, "Delete");
  sightings.contentChanged(undefined, content);
  assert.equal(sightings.gone("b1-x"), content);
  assert.equal(sightings.gone("b2-x"), undefined);
  sightings.contentChanged(aContent({}), undefined);
  assert.equal(sightings.gone("b1-x"), undefined);
  sightings.contentChanged(undefined, aContent({}, "Retain"));
  assert.equal(sightings.gone("b1-x"), undefined);
});

test("a thousand are missed at most", () => {
  const sightings = createSightings();
  for (let index = 0; index < 1_001; index++) {
    const content = aContent(RETAINED);
    sightings.contentChanged(undefined, { ...content, metadata: { ...content.metadata, name: `c${index}` } });
  }
  const { vanished } = sightings.read(0);
  assert.equal(vanished.length, 1_000);
  assert.equal(vanished[0]?.metadata.name, "c1");
});
