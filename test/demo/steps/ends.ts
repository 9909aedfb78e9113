import type { Stage } from "../stage.ts";
import { showArray, untilHeld } from "./array.ts";
import { backUp } from "./further-backups.ts";

/** A backup is deleted with its snapshot. */
export async function deleteBackup(stage: Stage): Promise<void> {
  stage.step(
    "A backup is deleted",
    "Whoever deletes a backup expects its data to be gone. The same happens when a backup expires.",
  );
  await stage.runVelero(["backup", "delete", "nightly-3", "--confirm"]);
  await stage.velero.gone("nightly-3");
  await untilHeld(stage, 1);
  await showArray(stage);
  stage.screen.conclude("Its snapshot went with it; that of nightly-4 was not touched.");
}

/** An upload fails: its snapshot would be a backup that nobody has verified. */
export async function failUpload(stage: Stage): Promise<void> {
  stage.step(
    "An upload fails",
    "The data mover's Pod ends with an error in the middle of copying. A snapshot without its copy is not a backup.",
  );
  stage.velero.setMoverBehaviour("fail");
  await backUp(stage, "nightly-5", "PartiallyFailed");
  stage.velero.setMoverBehaviour("ok");
  await untilHeld(stage, 1);
  await showArray(stage);
  stage.screen.conclude(
    "Nothing of it is kept, and nothing leaks: what could still be restored in seconds is nightly-4.",
  );
}
