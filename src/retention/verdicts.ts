import { UNBOUNDED } from "../policy/generous.ts";
import { isReady } from "./age.ts";
import type { Decision, Entry } from "./entry.ts";
import type { Verdict, VolumePlan } from "./plan.ts";
import { isPinned } from "./protections.ts";
import { HELD_REASONS, meaningOf } from "./reasons.ts";
import type { HeldReason } from "./reasons.ts";
import type { Recall } from "./recall.ts";

/** What is said of one volume and of its snapshots, newest first. */
export interface SpokenVolume {
  readonly plan: VolumePlan;
  readonly verdicts: readonly Verdict[];
}

/** What is said of all volumes. `entries`: newest first. */
export function volumesOf(
  entries: readonly Entry[],
  decisions: ReadonlyMap<string, Decision>,
  held: ReadonlyMap<string, HeldReason>,
  recall: Pick<Recall, "share">,
): (SpokenVolume & { readonly entries: readonly Entry[] })[] {
  const byVolume = Map.groupBy(entries, ({ snapshot }) => snapshot.volumeKey);
  return [...byVolume.values()].flatMap((ofVolume) => {
    const verdicts = ofVolume.flatMap((entry) => {
      const { key } = entry.snapshot;
      const decision = decisions.get(key);
      return decision === undefined ? [] : [verdictOf(entry, decision, { held: held.get(key), recall })];
    });
    const plan = volumePlanOf(ofVolume, verdicts);
    return plan === undefined ? [] : [{ plan, verdicts, entries: ofVolume }];
  });
}

interface Wording {
  readonly held: HeldReason | undefined;
  /** Most of ten thousand messages are the same few. */
  readonly recall: Pick<Recall, "share">;
}

/** The verdict about one snapshot, in words. */
function verdictOf(entry: Entry, decision: Decision, { held, recall }: Wording): Verdict {
  const { snapshot, course } = entry;
  const { identity, name, driver, handle, takenNs } = snapshot;
  const detail = decision.detail === undefined ? "" : ` (${decision.detail})`;
  const holding = held === undefined ? "" : `; ${HELD_REASONS[held]}`;
  return {
    name,
    volumeName: identity.volumeName,
    volumeKey: snapshot.volumeKey,
    volume: identity.volume,
    backup: identity.backup,
    driver,
    handle,
    takenAt: takenNs < Infinity ? takenNs / 1e6 : undefined,
    stage: course.stage,
    ready: isReady(entry),
    pinned: isPinned(snapshot),
    evidence: identity.evidence,
    kept: decision.kept,
    reason: decision.reason,
    message: recall.share(`${meaningOf(decision.reason)}${detail}${holding}`),
    ...(held === undefined ? {} : { held }),
  };
}

/** The limits and the counts of one volume. `entries`: newest first, at least one. */
function volumePlanOf(entries: readonly Entry[], verdicts: readonly Verdict[]): VolumePlan | undefined {
  const newest = entries[0];
  if (newest === undefined) {
    return undefined;
  }
  const { number } = entries
    .map(({ limits }) => limits)
    .reduce((best, limits) => (limits.number.number > best.number.number ? limits : best));
  const ceiling = entries.find(({ limits }) => limits.ceiling !== undefined)?.limits.ceiling;
  return {
    volumeName: newest.snapshot.identity.volumeName,
    volumeKey: newest.snapshot.volumeKey,
    volume: newest.snapshot.identity.volume,
    number: number.number,
    numberReason: number.number === UNBOUNDED ? number.reason : `${number.number}: ${number.reason}`,
    ceiling: ceiling?.number,
    ceilingReason: ceiling && `${ceiling.number}: ${ceiling.reason}`,
    taken: verdicts.length,
    retained: verdicts.filter(({ stage, kept }) => kept && stage === "retained").length,
    pinned: verdicts.filter(({ pinned }) => pinned).length,
    going: verdicts.filter(({ kept }) => !kept).length,
  };
}
