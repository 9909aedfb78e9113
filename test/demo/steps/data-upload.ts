import { LIMIT_REASON_ANNOTATION } from "../../../src/kube/keys.ts";
import { aDataUpload } from "../../e2e/objects.ts";
import type { Stored } from "../../e2e/api.ts";
import { VELERO } from "../../e2e/velero.ts";
import type { Stage } from "../stage.ts";

/** What the request for a data movement is about. */
interface Movement {
  readonly backup: Stored;
  readonly claim: Stored;
  readonly snapshot: Stored;
}

/** Velero asks its data mover to copy the snapshot to object storage. */
export async function requestUpload(stage: Stage, { backup, claim, snapshot }: Movement): Promise<Stored> {
  stage.step(
    "Velero asks its data mover to copy the snapshot to object storage",
    "It does so by a DataUpload. Now volume, storage and Backup are all known, so this is where it is decided how many " +
      "snapshots of this volume to keep: this volume is a gold one, and a rule of the policy grants those 5.",
  );
  const manifest = aDataUpload({ backup: backup.metadata.name, claim, snapshot: snapshot.metadata.name });
  const upload = await stage.create("dataupload.yaml", manifest, { as: VELERO });
  const reason = upload.metadata.annotations[LIMIT_REASON_ANNOTATION] ?? "none";
  stage.screen.conclude(`The decision in full: ${reason}. What the storage can take has the last word.`);
  return upload;
}
