import assert from "node:assert/strict";
import { DATA_DOWNLOAD_LABEL, OUR_DATA_MOVER, RESTORE_VOLUME_ANNOTATION } from "../../src/kube/keys.ts";
import type { StorageArray } from "../cluster/storage-array.ts";
import type { Stored } from "./api.ts";
import { eventually, PATIENCE_MS } from "./eventually.ts";
import { downloadsOf, madeForRestores } from "./restore-bed.ts";
import type { Bed } from "./retention-bed.ts";

/** What a restore from a retained snapshot has come to. */
export type Step = "asked" | "snapshot" | "volume" | "binding" | "over";

/** Has every restore from a snapshot stay at a step, where the storage can have it so; it passes the others. */
export async function holdAt(array: StorageArray, snapshot: string, step: Step): Promise<void> {
  if (step === "snapshot") await array.setReady(snapshot, false);
  if (step === "volume") await array.setFault(snapshot, { hold: true });
}

/** Lets restores from a snapshot go on. */
export async function letGo(array: StorageArray, snapshot: string): Promise<void> {
  await array.setReady(snapshot, true);
  await array.setFault(snapshot, undefined);
}

/** The only DataDownload of a Restore, when it has come to a step or past it. */
export async function reaches({ api }: Bed, restore: string, step: Step): Promise<Stored> {
  return eventually(
    `${restore} has come to "${step}"`,
    async () => {
      const [download] = await downloadsOf(api, restore);
      assert.ok(download);
      if (download.status["phase"] === "Completed") return download;
      assert.equal(download.spec["datamover"], OUR_DATA_MOVER);
      if (step === "over") assert.equal(download.status["phase"], "Completed");
      if (step === "binding") assert.ok(RESTORE_VOLUME_ANNOTATION in download.metadata.annotations);
      const kind = MADE_AT[step];
      if (kind !== undefined) {
        const made = await madeForRestores(api);
        const { uid } = download.metadata;
        assert.ok(
          made.some((each) => each.kind === kind && each.metadata.labels[DATA_DOWNLOAD_LABEL] === uid),
        );
      }
      return download;
    },
    PATIENCE_MS,
  );
}

const MADE_AT: Partial<Record<Step, string>> = {
  snapshot: "VolumeSnapshot",
  volume: "PersistentVolumeClaim",
};
