import { VOLUME_NAME_LABEL } from "../../../src/kube/keys.ts";
import type { Stage } from "../stage.ts";

/** What the storage array really holds, which no API server can be wrong about. */
export async function showStorage(stage: Stage): Promise<void> {
  stage.step(
    "What the storage holds",
    "The array is asked directly, past Kubernetes. It keeps the books of volumes and snapshots like a real one, though it " +
      "stores no data.",
  );
  const { array } = stage.cluster;
  const [{ volumes, snapshots }, contents] = await Promise.all([
    array.state(),
    stage.api.list("snapshot.storage.k8s.io/v1", "VolumeSnapshotContent"),
  ]);
  const lines = snapshots.map(({ id, sourceVolume }) => {
    const content = contents.find(({ status }) => status["snapshotHandle"] === id);
    const volume = content?.metadata.labels[VOLUME_NAME_LABEL] ?? "no backup's volume";
    return `${id} of ${sourceVolume}   ${volume}`;
  });
  stage.screen.print("\n");
  stage.screen.output(lines.join("\n"));
  stage.screen.conclude(
    `${volumes.length} volumes with ${snapshots.length} snapshots. Originals and clones came and went, but the shop's snapshot ` +
      "was taken once and is still there, and Kubernetes can tell whose it is.",
  );
}
