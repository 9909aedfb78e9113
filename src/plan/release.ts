import { RELEASE_LABEL, PIN_LABEL } from "../kube/keys.ts";
import type { RetentionPolicy } from "../policy/schema.ts";
import { decide } from "../retention/decide.ts";
import type { VolumeSnapshotContent } from "../retention/objects.ts";
import type { Verdict } from "../retention/plan.ts";
import type { World } from "../retention/world.ts";
import { nameOfVolume } from "./report.ts";

/** What comes of releasing a volume. */
export interface Release {
  /** Those that go. */
  readonly going: readonly Verdict[];
  /** Those that stay, with what protects them. */
  readonly staying: readonly Verdict[];
}

/**
 * What the controller would do if all retained snapshots of a volume (`namespace/name`) were labelled for release; with `unpin`,
 * if their pins were taken off, too.
 */
export function planRelease(
  world: World,
  policy: RetentionPolicy,
  { volume, now, unpin }: { readonly volume: string; readonly now: number; readonly unpin: boolean },
): Release {
  const ofVolume = decide(world, policy, now).snapshots.filter(
    (verdict) => nameOfVolume(verdict.volume) === volume && verdict.stage === "retained",
  );
  const names = new Set(ofVolume.map(({ name }) => name));
  const labelled = {
    ...world,
    contents: world.contents.map((content) =>
      names.has(content.metadata.name ?? "") ? asked(content, unpin) : content,
    ),
  };
  const after = decide(labelled, policy, now).snapshots.filter(({ name }) => names.has(name));
  return { going: after.filter(({ kept }) => !kept), staying: after.filter(({ kept }) => kept) };
}

/** The labels by which a content is asked to go. */
export function releaseLabels(unpin: boolean): Record<string, string | null> {
  return { [RELEASE_LABEL]: "true", ...(unpin ? { [PIN_LABEL]: null } : {}) };
}

function asked(content: VolumeSnapshotContent, unpin: boolean): VolumeSnapshotContent {
  const labels = Object.entries({ ...content.metadata.labels, ...releaseLabels(unpin) });
  const set = labels.filter((entry): entry is [string, string] => entry[1] !== null);
  return { ...content, metadata: { ...content.metadata, labels: Object.fromEntries(set) } };
}
