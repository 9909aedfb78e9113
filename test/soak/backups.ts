import assert from "node:assert/strict";
import { setTimeout as sleep } from "node:timers/promises";
import type { Api } from "../e2e/api.ts";
import { createVolume, snapshotsOf } from "../e2e/controller-scene.ts";
import type { Volume } from "../e2e/controller-scene.ts";
import { eventually } from "../e2e/eventually.ts";
import { deleteBackup, playBackup } from "../e2e/play.ts";
import type { Movement } from "../e2e/play.ts";
import type { Cluster } from "../cluster/cluster.ts";

/** As Velero's expiry would: so many Backups of a volume are kept. */
const KEPT = 4;
const LONG_MS = 120_000;

/** How long to wait where no backup is due yet. */
const PAUSE_MS = 200;

/** What is to be played. */
export interface Wanted {
  readonly volumes: number;
  readonly backups: number;
  /** Snapshots of a volume. */
  readonly most: number;
  /** How many may have begun by now. */
  readonly due: () => number;
}

/** What came of the backups. */
export interface Backups {
  done(): number;
  /** Resolves when all are done; rejects with the first that did not go as it should. */
  readonly ended: Promise<void>;
}

/**
 * Plays backups of so many volumes side by side, each one after the other, with everything that belongs to one: snapshot, upload,
 * clone, retention, and later the deletion of the Backup. The array must never hold more than `most` of a volume when one ends.
 */
export function playBackups(
  { api, cluster }: { readonly api: Api; readonly cluster: Cluster },
  { volumes, backups, most, due }: Wanted,
): Backups {
  let begun = 0;
  let done = 0;
  async function playVolume(index: number): Promise<void> {
    const volume = await createVolume(api, `soak-${index}`);
    const kept: Movement[] = [];
    while (begun < backups) {
      if (begun >= due()) {
        await sleep(PAUSE_MS);
        continue;
      }
      begun += 1;
      kept.push(await backUp(api, volume, `soak-${index}-${begun}`));
      await holdsAtMost(cluster, volume, most);
      const [expired] = kept.length > KEPT ? kept.splice(0, 1) : [];
      // With it go its DataUpload and what was retained.
      if (expired !== undefined) await deleteBackup(api, expired.backup, async () => undefined);
      done += 1;
    }
  }
  return {
    done: () => done,
    ended: Promise.all(Array.from({ length: volumes }, async (_, index) => playVolume(index))).then(
      () => undefined,
    ),
  };
}

async function backUp(api: Api, { claim }: Volume, name: string): Promise<Movement> {
  return playBackup(api, {
    name,
    claim,
    ending: "completed",
    pauses: {
      async copying({ upload }) {
        await eventually(
          `${name} is recorded`,
          async () => assert.ok("dataMoverResult" in (await api.read(upload)).status),
          LONG_MS,
        );
      },
    },
  });
}

async function holdsAtMost(cluster: Cluster, volume: Volume, most: number): Promise<void> {
  await eventually(
    `the array holds at most ${most}`,
    async () => assert.ok((await snapshotsOf(cluster, volume)).length <= most),
    LONG_MS,
  );
}
