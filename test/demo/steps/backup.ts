import { aBackup } from "../../e2e/objects.ts";
import type { Stored } from "../../e2e/api.ts";
import type { Stage } from "../stage.ts";

/** The annotation that tells data mover plugins how many snapshots of each volume to keep. */
export const LIMIT = "backup.velero.io/data-mover-snapshot-to-retain";

/** A user makes a Backup and asks for more than the policy grants, then tries again. */
export async function backUp(stage: Stage): Promise<Stored> {
  stage.step(
    "A user starts a backup, and asks to keep 7 snapshots of each volume",
    "The number is not the user's to choose: the admin's policy says 3. The Backup is not refused; it is stored with " +
      "the policy's number, and kubectl says so.",
  );
  const manifest = aBackup({
    name: "nightly-1",
    annotations: { [LIMIT]: "7" },
    spec: { includedNamespaces: ["prod-shop"], snapshotMoveData: true },
  });
  const backup = await stage.create("backup.yaml", manifest);
  await stage.kubectl(["annotate", "backup", "nightly-1", "-n=velero", "--overwrite", `${LIMIT}=7`]);
  stage.screen.conclude(
    "The Backup carries the policy's 3, and changing it afterwards does not help: it was put back.",
  );
  return backup;
}
