import { z } from "zod";
import { RESERVED_ANNOTATIONS, RESERVED_LABELS } from "../../../src/kube/keys.ts";
import type { Stored } from "../../e2e/api.ts";
import { aContent } from "../../e2e/velero.ts";
import { changesBetween } from "../change.ts";
import type { Marked } from "../change.ts";
import type { Stage } from "../stage.ts";

const BoundStatus = z.object({ boundVolumeSnapshotContentName: z.string() });
const TakenStatus = z.object({ snapshotHandle: z.string() });

/** The snapshot-controller and the CSI driver do their part; shows the content that came of it. */
export async function findContent(stage: Stage, snapshot: Stored): Promise<Stored> {
  stage.step(
    "The storage takes the snapshot",
    "The snapshot-controller makes a VolumeSnapshotContent, the object that stands for the snapshot on the storage, and " +
      "csi-snapshotter has the array take it. Both are the real programs, and neither copies any label.",
  );
  const { name, namespace = "" } = snapshot.metadata;
  const ready = "--for=jsonpath={.status.readyToUse}=true";
  await stage.kubectl(["wait", `volumesnapshot/${name}`, `-n=${namespace}`, ready, "--timeout=60s"]);
  const { boundVolumeSnapshotContentName: bound } = BoundStatus.parse(
    (await stage.api.read(snapshot)).status,
  );
  const content = await stage.api.read(aContent(bound));
  const { snapshotHandle } = TakenStatus.parse(content.status);
  const heading = `VolumeSnapshotContent ${content.metadata.name}`;
  stage.screen.changes(heading, changesBetween(withoutOurs(content), content));
  stage.screen.conclude(
    `The array now holds ${snapshotHandle}, and its VolumeSnapshotContent says whose it is. ` +
      "It names the Backup under a key of our own, because some versions of Velero delete contents by theirs.",
  );
  return content;
}

/** As the snapshot-controller sent it: it does not know these keys. */
function withoutOurs({ metadata: { labels, annotations } }: Stored): Marked {
  const ours: readonly string[] = [...RESERVED_LABELS, ...RESERVED_ANNOTATIONS];
  function others(map: Readonly<Record<string, string>>): Record<string, string> {
    return Object.fromEntries(Object.entries(map).filter(([key]) => !ours.includes(key)));
  }
  return { metadata: { labels: others(labels), annotations: others(annotations) } };
}
