import type { RetentionPolicy } from "../policy/schema.ts";
import { backupStateOf } from "./backup-state.ts";
import type { Entry } from "./entry.ts";
import type { LimitsOf } from "./facts.ts";
import { courseOf } from "./lifecycle.ts";
import type { VolumeSnapshotContent } from "./objects.ts";
import { isInProgress, shieldOf } from "./protections.ts";
import type { Surroundings } from "./protections.ts";
import type { Recall } from "./recall.ts";
import { newestFirst, storageSnapshots } from "./storage-snapshot.ts";
import type { StorageSnapshot } from "./storage-snapshot.ts";

/** What all snapshots of one moment are judged in. */
export interface Setting extends Surroundings {
  readonly policy: RetentionPolicy;
  /** Milliseconds since 1970. */
  readonly now: number;
}

/** All snapshots of a world, newest first; `fresh`: the contents whose snapshots could not be recalled. */
export function entriesOf(
  setting: Setting,
  limitsOf: LimitsOf,
  recall: Recall,
): { readonly entries: readonly Entry[]; readonly fresh: readonly VolumeSnapshotContent[] } {
  const entries: Entry[] = [];
  const fresh: VolumeSnapshotContent[] = [];
  for (const content of setting.relations.world.contents) {
    const entry = recall.entryOf(content, setting);
    if (entry === undefined) fresh.push(content);
    else entries.push(entry);
  }
  for (const snapshot of storageSnapshots(setting.relations, setting.policy, fresh, recall)) {
    entries.push(entryOf(snapshot, setting, limitsOf));
  }
  return { entries: entries.toSorted((a, b) => newestFirst(a.snapshot, b.snapshot)), fresh };
}

function entryOf(snapshot: StorageSnapshot, setting: Setting, limitsOf: LimitsOf): Entry {
  const { relations, now } = setting;
  const backup = backupStateOf(relations, snapshot.identity.backup, snapshot.bornAt, now);
  const limits = limitsOf(snapshot.identity, snapshot.driver);
  const wanted = limits.number.number > 0;
  const course = courseOf({ snapshot, backup, wanted, now });
  const shield = shieldOf(snapshot, setting, course);
  return {
    snapshot,
    limits,
    backup,
    course,
    protection: shield ?? (isInProgress(snapshot, backup) ? "backup_in_progress" : undefined),
    shield,
  };
}
