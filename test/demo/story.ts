import type { Stage } from "./stage.ts";
import { deleteBackup, failUpload } from "./steps/ends.ts";
import { makeFirstBackup } from "./steps/first-backup.ts";
import { removeForgery } from "./steps/forgery.ts";
import { fillArray, makeRoom, rollOn } from "./steps/further-backups.ts";
import { showPlan } from "./steps/plan.ts";
import { refusePolicy } from "./steps/refused-policy.ts";
import { restoreByDataMovement, restoreFromSnapshot } from "./steps/restores.ts";

/** How many steps the story has. */
export const STEPS = 11;

/** Plays five nights of backups, what people may try meanwhile, and a restore. */
export async function tellStory(stage: Stage): Promise<void> {
  const content = await makeFirstBackup(stage);
  await removeForgery(stage, content);
  await refusePolicy(stage);
  await fillArray(stage);
  await makeRoom(stage);
  await rollOn(stage);
  await deleteBackup(stage);
  await failUpload(stage);
  await showPlan(stage);
  const times = await restoreFromSnapshot(stage);
  await restoreByDataMovement(stage, times);
}
