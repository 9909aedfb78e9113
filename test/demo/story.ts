import type { Stage } from "./stage.ts";
import { backUp } from "./steps/backup.ts";
import { cloneSnapshot } from "./steps/clone.ts";
import { findContent } from "./steps/content.ts";
import { requestUpload } from "./steps/data-upload.ts";
import { removeForgery } from "./steps/forgery.ts";
import { changePolicy } from "./steps/live-policy.ts";
import { refusePolicy } from "./steps/refused-policy.ts";
import { takeSnapshot } from "./steps/snapshot.ts";
import { showStorage } from "./steps/storage.ts";

/** How many steps the story has. */
export const STEPS = 9;

/** Plays a backup from its beginning to the clone that a data mover reads, and what people may try meanwhile. */
export async function tellStory(stage: Stage): Promise<void> {
  const backup = await backUp(stage);
  const { claim, snapshot } = await takeSnapshot(stage, backup);
  const content = await findContent(stage, snapshot);
  const upload = await requestUpload(stage, { backup, claim, snapshot });
  await cloneSnapshot(stage, { snapshot, content, upload });
  await removeForgery(stage, content);
  await changePolicy(stage);
  await refusePolicy(stage);
  await showStorage(stage);
}
