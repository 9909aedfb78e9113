import { LIMIT_ANNOTATION } from "../../../src/kube/keys.ts";
import { aBackup } from "../../e2e/objects.ts";
import type { Stage } from "../stage.ts";
import { applyArguments, POLICY, writeConfigMap } from "./policy-file.ts";

/** The admin makes a mistake, and hears of it at once. */
export async function refusePolicy(stage: Stage): Promise<void> {
  stage.step(
    "The admin misspells a field of the policy",
    "snapshotToRetain instead of snapshotsToRetain: taken for an absent number, it would mean to keep none at all.",
  );
  const policy = POLICY.replace("\nsnapshotsToRetain: 2\n", "\nsnapshotToRetain: 2\n");
  const path = await writeConfigMap(stage, "bad-policy-configmap.yaml", policy);
  const { code } = await stage.kubectl(applyArguments(path), { mayFail: true });
  const { object } = await stage.api.create(aBackup(), { dryRun: true });
  const number = object.metadata.annotations[LIMIT_ANNOTATION] ?? "nothing";
  if (code === 0) throw new Error("the API server took a bad policy");
  stage.screen.conclude(
    `Refused, with the line and the field. The last good policy stays: a new Backup would get ${number}.`,
  );
}
