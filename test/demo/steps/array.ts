import assert from "node:assert/strict";
import { BACKUP_NAME_LABEL } from "../../../src/kube/keys.ts";
import { eventually } from "../../e2e/eventually.ts";
import { snapshotsOf } from "../../e2e/real-velero.ts";
import type { Stage } from "../stage.ts";

/** Waits for the end of a Backup, says how it ended, and fails where that is not as expected. */
export async function ended({ velero, screen }: Stage, name: string, expected: string): Promise<void> {
  const { phase } = await velero.ended(name);
  screen.output(`Backup ${name}: ${phase}`);
  if (phase !== expected) throw new Error(`${name} ended ${phase} instead of ${expected}`);
}

/** What the array holds of the shop, which no API server can be wrong about: it is asked directly, past Kubernetes. */
export async function showArray({ cluster, api, screen, shop }: Stage): Promise<void> {
  const [{ limit, refused }, snapshots, contents] = await Promise.all([
    cluster.array.state(),
    snapshotsOf(cluster.array, shop),
    api.list("snapshot.storage.k8s.io/v1", "VolumeSnapshotContent"),
  ]);
  const backups = new Map(
    contents.map(({ status, metadata }) => [status["snapshotHandle"], metadata.labels[BACKUP_NAME_LABEL]]),
  );
  const held = snapshots.map((id) => `${id} of ${backups.get(id) ?? "no backup"}`);
  const counts = `${held.length} of ${limit} places taken, ${refused} snapshots refused so far`;
  screen.print("\n");
  screen.output(`The array: ${counts}`);
  for (const line of held) screen.output(`  ${line}`);
}

/** What the array did with the shop's snapshots since then, in its own words. */
export async function showLog({ cluster, screen, shop }: Stage, since: number): Promise<void> {
  const { log } = await cluster.array.state();
  const lines = log
    .slice(since)
    .filter(({ operation, volume }) => operation.endsWith("Snapshot") && volume === shop.handle)
    .map(({ at, operation, id }) => `${at.slice(11, 23)}  ${operation}  ${id ?? ""}`);
  screen.print("\n");
  screen.output(["The array's log:", ...lines].join("\n"));
}

/** Waits until the array holds so many snapshots of the shop: what comes after a Backup's end takes a moment. */
export async function untilHeld({ cluster, shop }: Stage, count: number): Promise<void> {
  await eventually(`the array holds ${count} snapshots`, async () => {
    assert.equal((await snapshotsOf(cluster.array, shop)).length, count);
  });
}
