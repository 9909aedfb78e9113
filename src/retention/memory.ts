import type { Plan } from "./plan.ts";
import { backupKey } from "./world.ts";
import type { World } from "./world.ts";

/** What an observer remembers of Backups between two looks. */
export type Memory = Pick<World, "deletions" | "missingSince">;

/** The memory for the next look: deletions seen now, absences that began or ended. */
export function nextMemory(world: World, plan: Plan, now: number): Memory {
  const missingSince = new Map(plan.missingBackups.map((key) => [key, world.missingSince.get(key) ?? now]));
  return { deletions: nextDeletions(world, now), missingSince };
}

function nextDeletions(world: World, now: number): ReadonlyMap<string, number> {
  const seen = new Map(world.deletions);
  for (const { metadata, status } of world.backups) {
    const key = backupKey({ namespace: metadata.namespace ?? "", name: metadata.name ?? "" });
    if (status?.phase === "Deleting") {
      seen.set(key, now);
    } else {
      // It exists, and nobody deletes it: what was seen was another one of this name, or was given up.
      seen.delete(key);
    }
  }
  for (const { metadata, spec, status } of world.deleteBackupRequests) {
    if (status?.phase === "InProgress") {
      seen.set(backupKey({ namespace: metadata.namespace ?? "", name: spec.backupName }), now);
    }
  }
  return seen;
}
