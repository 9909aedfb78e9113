import { aCloneContent, aCloneSnapshot } from "../../e2e/objects.ts";
import type { Stored } from "../../e2e/api.ts";
import { VELERO } from "../../e2e/velero.ts";
import type { Stage } from "../stage.ts";

/** The original and the DataUpload that a clone is made for. */
interface Moved {
  readonly snapshot: Stored;
  readonly content: Stored;
  readonly upload: Stored;
}

/** Velero's data mover makes its own pair of objects for the same snapshot, and deletes the original pair. */
export async function cloneSnapshot(stage: Stage, { snapshot, content, upload }: Moved): Promise<void> {
  stage.step(
    "The data mover clones both objects into its own namespace, and deletes the originals",
    "This is where every label used to get lost: Velero copies the annotations and leaves the labels behind. Clone and " +
      "original are the same snapshot on the array.",
  );
  const { name } = upload.metadata;
  const { annotations } = snapshot.metadata;
  const clone = await stage.create("clone-snapshot.yaml", aCloneSnapshot({ name, annotations }), {
    as: VELERO,
  });
  const manifest = aCloneContent({
    name,
    of: content,
    ref: clone,
    annotations: content.metadata.annotations,
  });
  await stage.create("clone-content.yaml", manifest, { as: VELERO });
  await deleteOriginals(stage, snapshot, content);
  await stage.kubectl(["get", "volumesnapshotcontent", "-o=name"]);
  await stage.kubectl(["label", "--list", `volumesnapshotcontent/${name}`]);
  stage.screen.conclude(
    "The originals are gone, and the clone still says which snapshot it is, of which volume, of which backup, with the " +
      "volume's own labels on its VolumeSnapshot.",
  );
}

/** As Velero does: the content must first be told to leave the snapshot where it is. */
async function deleteOriginals(stage: Stage, snapshot: Stored, content: Stored): Promise<void> {
  const { name, namespace = "" } = snapshot.metadata;
  const retain = '{"spec":{"deletionPolicy":"Retain"}}';
  const patch = ["patch", "volumesnapshotcontent", content.metadata.name, "--type=merge", "-p", retain];
  await stage.kubectl(patch, { as: VELERO });
  await stage.kubectl(["delete", "volumesnapshot", name, `-n=${namespace}`], { as: VELERO });
  await stage.kubectl(["delete", "volumesnapshotcontent", content.metadata.name], { as: VELERO });
}
