import assert from "node:assert/strict";
import { OUR_DATA_MOVER, RESTORE_DECISION_ANNOTATION } from "../../../src/kube/keys.ts";
import { formatDuration } from "../../../src/policy/duration.ts";
import { eventually } from "../../e2e/eventually.ts";
import { downloadsOf, restoredFrom } from "../../e2e/restore-bed.ts";
import type { Stage } from "../stage.ts";
import { applyArguments, POLICY, writeConfigMap } from "./policy-file.ts";

/** How long a restore took by the wall clock, in seconds. */
interface Times {
  readonly bound: number;
  readonly completed: number;
}

/** The volume is lost, and comes back from the snapshot that was kept. */
export async function restoreFromSnapshot(stage: Stage): Promise<Times> {
  stage.step(
    "The shop's volume is lost, and restored",
    "An ordinary velero restore create. The webhook finds that the array still has the snapshot of nightly-4, and names us as " +
      "the data mover of this volume; the controller makes a new volume of the snapshot, and binds the claim to it.",
  );
  const { times, source } = await loseAndRestore(stage, "back");
  if (source === undefined) throw new Error("the volume was not made from the snapshot");
  stage.screen.output(`The array: the volume was made from ${source}`);
  stage.screen.conclude("The snapshot stays where it is, for the next restore.");
  return times;
}

/** The same backup once more, by the path that it takes without us. */
export async function restoreByDataMovement(stage: Stage, { bound, completed }: Times): Promise<void> {
  stage.step(
    "For comparison: the same backup, restored as Velero does it alone",
    "The policy switches restores from snapshots off. So does a snapshot that is pruned, lost, or of no use to the target: " +
      "the restore then moves the data, as ever.",
  );
  const path = await writeConfigMap(
    stage,
    "by-data-movement.yaml",
    `${POLICY}restore:\n  fromRetained: false\n`,
  );
  await stage.kubectl(applyArguments(path));
  const { times, source } = await loseAndRestore(stage, "back-again");
  if (source !== undefined) throw new Error("the volume was made from a snapshot");
  stage.screen.output("The array: the volume was made empty, for data to be copied into it");
  stage.screen.print("\n");
  stage.screen.output(
    [
      "by the wall clock    claim bound    Restore completed    and copying the volume's data",
      `from the snapshot    ${seconds(bound)}    ${seconds(completed)}          none: the array has it`,
      `by data movement     ${seconds(times.bound)}    ${seconds(times.completed)}          not done here: there is none`,
    ].join("\n"),
  );
  stage.screen.conclude(
    "No byte is copied on this machine, so these are the few seconds that either way costs beside the data, and they say nothing " +
      "of what is gained: the copying. At 100 MB a second, 1 TB takes " +
      `${formatDuration((TERABYTE / BYTES_PER_SECOND) * 1000)}; the first line stays as it is, on an array that makes volumes of snapshots at once.`,
  );
}

function seconds(value: number): string {
  return `${value.toFixed(1)} s`.padStart("claim bound".length);
}

async function loseAndRestore(
  stage: Stage,
  name: string,
): Promise<{ readonly times: Times; readonly source: string | undefined }> {
  const { screen, shop, velero, api } = stage;
  const { namespace = "", name: claim } = shop.claim.metadata;
  await stage.kubectl(["delete", "pvc", claim, `--namespace=${namespace}`]);
  const startedAt = performance.now();
  await stage.runVelero(["restore", "create", name, "--from-backup=nightly-4"]);
  await eventually(
    "the claim is bound",
    async () => assert.equal((await api.find(shop.claim))?.status["phase"], "Bound"),
    PATIENCE_MS,
  );
  const bound = since(startedAt);
  const { phase } = await velero.restoreEnded(name);
  const completed = since(startedAt);
  screen.output(`Restore ${name}: ${phase}`);
  if (phase !== "Completed") throw new Error(`${name} ended ${phase}`);
  await showDecision(stage, name);
  const { source } = await restoredFrom(stage, { namespace, name: claim });
  return { times: { bound, completed }, source };
}

async function showDecision({ api, screen }: Stage, restore: string): Promise<void> {
  const [download] = await downloadsOf(api, restore);
  const { [RESTORE_DECISION_ANNOTATION]: decision = "not decided by us" } =
    download?.metadata.annotations ?? {};
  const mover = download?.spec["datamover"] === OUR_DATA_MOVER ? OUR_DATA_MOVER : "velero";
  screen.output(`Data mover: ${mover}; ${decision}`);
}

function since(startedAt: number): number {
  return (performance.now() - startedAt) / 1000;
}

const TERABYTE = 1e12;
const BYTES_PER_SECOND = 100e6;

/** Ample: without data it takes some ten seconds. */
const PATIENCE_MS = 120_000;
