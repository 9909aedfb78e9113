import type { Stage } from "../stage.ts";
import { ended, showArray, showLog } from "./array.ts";

/** The array fills up. */
export async function fillArray(stage: Stage): Promise<void> {
  stage.step(
    "The next night: the array is full",
    "This array takes 2 snapshots of a volume and not one more, as many storage systems have a hard limit.",
  );
  await backUp(stage, "nightly-2");
  await showArray(stage);
  stage.screen.conclude("Both are kept. The array would refuse a third one.");
}

/** The oldest goes before the new one is taken. */
export async function makeRoom(stage: Stage): Promise<void> {
  stage.step(
    "The third night: the oldest goes, before the new one is taken",
    "When Velero creates its VolumeSnapshot, the webhook sees a volume at its number. It holds the request for the moment " +
      "that the controller needs to free the oldest snapshot of exactly this volume.",
  );
  const since = (await stage.cluster.array.state()).log.length;
  await backUp(stage, "nightly-3");
  await showLog(stage, since);
  await showArray(stage);
  stage.screen.conclude(
    "First DeleteSnapshot, then CreateSnapshot: nothing was refused, and Velero noticed nothing.",
  );
}

/** And again. */
export async function rollOn(stage: Stage): Promise<void> {
  stage.step(
    "The fourth night",
    "And so it goes on: always the newest two, each with its data in object storage.",
  );
  await backUp(stage, "nightly-4");
  await showArray(stage);
}

/** Makes a data-mover backup of the shop, however it is to end. */
export async function backUp(stage: Stage, name: string, phase = "Completed"): Promise<void> {
  await stage.runVelero(["backup", "create", name, "--include-namespaces=prod-shop", "--snapshot-move-data"]);
  await ended(stage, name, phase);
}
