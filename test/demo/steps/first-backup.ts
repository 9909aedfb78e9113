import * as z from "zod";
import {
  ALIAS_LABEL,
  BACKUP_NAME_LABEL,
  LIMIT_ANNOTATION,
  VOLUME_NAME_LABEL,
} from "../../../src/kube/keys.ts";
import { eventually } from "../../e2e/eventually.ts";
import { aBackup } from "../../e2e/objects.ts";
import type { Stored } from "../../e2e/api.ts";
import { uploadsOf } from "../../e2e/real-velero.ts";
import { aContent } from "../../e2e/velero.ts";
import { changesBetween } from "../change.ts";
import type { Change, Marked } from "../change.ts";
import type { Stage } from "../stage.ts";
import { ended, showArray } from "./array.ts";

/** A user makes the first backup and asks for more than the policy grants. Returns the content of the snapshot that is kept. */
export async function makeFirstBackup(stage: Stage): Promise<Stored> {
  stage.step(
    "A user backs up the shop, and asks to keep 7 snapshots of each volume",
    "The number is not the user's to choose: the admin's policy says 2. Nothing is refused; the Backup is stored with the " +
      "policy's number.",
  );
  const of = ["--include-namespaces=prod-shop", "--snapshot-move-data"];
  await stage.runVelero(["backup", "create", "nightly-1", ...of, `--annotations=${LIMIT_ANNOTATION}=7`]);
  await showBackup(stage);
  const content = await showClone(stage);
  await ended(stage, "nightly-1", "Completed");
  await showArray(stage);
  stage.screen.conclude(
    "The data is in object storage, and the snapshot is still on the array. Without Snapshot Retainer it would be gone now.",
  );
  return content;
}

async function showBackup({ api, screen }: Stage): Promise<void> {
  const stored = await api.read(aBackup({ name: "nightly-1" }));
  const key = LIMIT_ANNOTATION;
  const value = stored.metadata.annotations[key] ?? "";
  const sent = { metadata: { annotations: { [key]: "7" } } };
  screen.changes("Backup nightly-1", changesBetween(sent, { metadata: { annotations: { [key]: value } } }));
}

/** The content that Velero's data mover reads from, as Velero sent it and as it is stored. */
async function showClone({ api, screen }: Stage): Promise<Stored> {
  const content = await eventually("the data mover has its clone", async () => {
    const [upload] = await uploadsOf(api, "nightly-1");
    return api.read(aContent(upload?.metadata.name ?? ""));
  });
  screen.say("");
  screen.say(
    "Velero's data mover makes a VolumeSnapshotContent of its own to read from, without labels, to be deleted at the end. " +
      "What is stored instead says whose snapshot it is, and stays:",
  );
  const policy: Change[] = [
    { mark: " ", text: "spec:" },
    { mark: "-", text: "  deletionPolicy: Delete" },
    { mark: "+", text: `  deletionPolicy: ${z.string().parse(content.spec["deletionPolicy"])}` },
  ];
  const changes = [...changesBetween({ metadata: {} }, ourLabels(content)), ...policy];
  screen.changes(`VolumeSnapshotContent ${content.metadata.name}`, changes);
  return content;
}

function ourLabels({ metadata }: Stored): Marked {
  const keys = [ALIAS_LABEL, BACKUP_NAME_LABEL, VOLUME_NAME_LABEL];
  return { metadata: { labels: Object.fromEntries(keys.map((key) => [key, metadata.labels[key] ?? ""])) } };
}
