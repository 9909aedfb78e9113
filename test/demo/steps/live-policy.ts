import { setTimeout as sleep } from "node:timers/promises";
import { aBackup } from "../../e2e/objects.ts";
import { changesInText } from "../change.ts";
import type { Stage } from "../stage.ts";
import { LIMIT } from "./backup.ts";
import { applyArguments, readExamplePolicy, writeConfigMap } from "./policy-file.ts";

/** The admin edits the policy, and the next Backup follows it. */
export async function changePolicy(stage: Stage): Promise<void> {
  stage.step(
    "The admin changes the policy: 2 instead of 3",
    "The policy is a ConfigMap, which the webhook watches. Nothing is restarted.",
  );
  const before = await readExamplePolicy();
  const after = before.replace("\nsnapshotsToRetain: 3\n", "\nsnapshotsToRetain: 2\n");
  stage.screen.changes("policy.yaml", changesInText(before, after));
  await stage.kubectl(applyArguments(await writeConfigMap(stage, "policy-configmap.yaml", after)));
  const seconds = await secondsUntilInForce(stage, "2");
  const manifest = aBackup({ name: "nightly-2", spec: { snapshotMoveData: true } });
  await stage.create("next-backup.yaml", manifest);
  stage.screen.conclude(`In force ${seconds} s after kubectl returned: the next Backup carries 2.`);
}

/** Asks by dry run, which leaves nothing behind, until a Backup would get the number. */
async function secondsUntilInForce({ api }: Stage, wanted: string): Promise<string> {
  const start = performance.now();
  for (;;) {
    const { object } = await api.create(aBackup(), { dryRun: true });
    const seconds = (performance.now() - start) / 1000;
    if (object.metadata.annotations[LIMIT] === wanted) return seconds.toFixed(2);
    if (seconds > PATIENCE_S) throw new Error(`the new policy was not in force after ${PATIENCE_S} s`);
    await sleep(POLL_MS);
  }
}

const PATIENCE_S = 30;
const POLL_MS = 10;
