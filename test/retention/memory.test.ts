import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { nextMemory } from "../../src/retention/memory.ts";
import type { Memory } from "../../src/retention/memory.ts";
import type { World } from "../../src/retention/world.ts";
import { aDeleteRequest, aWorld, claimed, msAgo, NOW, planOf, retained } from "../builders/world.ts";

function remembered(...parts: Partial<World>[]): Memory {
  const world = aWorld(...parts, claimed());
  return nextMemory(world, planOf(world), NOW);
}

const orphan = retained("s1", "3d", { upload: null, backup: null });

describe("deletions", () => {
  const before = { deletions: new Map([["velero/b-s1", msAgo("1h")]]) };
  const cases: Record<string, [worlds: Partial<World>[], want: [string, number][]]> = {
    "begin with the phase Deleting": [[retained("s1", "3d", { backup: "Deleting" })], [["velero/b-s1", NOW]]],
    "begin with a request in progress": [
      [retained("s1", "3d"), { deleteBackupRequests: [aDeleteRequest("b-s1", "InProgress")] }],
      [["velero/b-s1", NOW]],
    ],
    "do not begin with a request that is new": [
      [retained("s1", "3d"), { deleteBackupRequests: [aDeleteRequest("b-s1", "New")] }],
      [],
    ],
    "stay when all objects are gone": [[orphan, before], [["velero/b-s1", msAgo("1h")]]],
    "end when the Backup exists and nobody deletes it": [[retained("s1", "3d"), before], []],
  };
  for (const [name, [worlds, want]] of Object.entries(cases)) {
    test(name, () => assert.deepEqual([...remembered(...worlds).deletions], want));
  }
});

describe("absences", () => {
  const before = { missingSince: new Map([["velero/b-s1", msAgo("1h")]]) };
  const cases: Record<string, [worlds: Partial<World>[], want: [string, number][]]> = {
    "begin when a snapshot's Backup is not found": [[orphan], [["velero/b-s1", NOW]]],
    "go on": [[orphan, before], [["velero/b-s1", msAgo("1h")]]],
    "end when it is back": [[retained("s1", "3d"), before], []],
    "end when no snapshot names it": [[before], []],
  };
  for (const [name, [worlds, want]] of Object.entries(cases)) {
    test(name, () => assert.deepEqual([...remembered(...worlds).missingSince], want));
  }
});
