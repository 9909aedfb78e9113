import { UNBOUNDED } from "../policy/generous.ts";
import type { Limit } from "../policy/limit.ts";
import type { RetentionPolicy } from "../policy/schema.ts";
import { isReady, judgeByAge } from "./age.ts";
import { occupies } from "./entry.ts";
import type { Decision, Entry, Place } from "./entry.ts";
import type { GoingReason } from "./reasons.ts";

/** What the limits make of the retained snapshots, by key, and when that changes by itself. */
export interface LimitDecisions {
  readonly decisions: ReadonlyMap<string, Decision>;
  readonly recheckAt: readonly number[];
}

/** The retained snapshots of one volume while their places are counted. */
interface Contest {
  /** All of the volume, newest first. */
  readonly entries: readonly Entry[];
  readonly places: readonly Place[];
  /** Those that have to find a place, newest first. */
  readonly contenders: readonly Entry[];
  /** The newest good one, where keepAtLeastOne protects it. */
  readonly lastGood: Entry | undefined;
  /** What was decided so far; going ones take up no place any more. */
  readonly decisions: Map<string, Decision>;
  readonly limitOf: (limits: Entry["limits"]) => number;
  readonly over: GoingReason;
  readonly reasonOf: (limits: Entry["limits"]) => string;
}

/**
 * Judges all retained snapshots: age and buckets first, then the number by volume, then the ceiling by volume on
 * the storage. Each is kept while fewer than its limit are kept before it: what cannot go counts first, then newest first.
 * `newestFirst` holds all snapshots, `places` those about to be taken.
 */
export function applyLimits(
  newestFirst: readonly Entry[],
  places: readonly Place[],
  policy: RetentionPolicy,
  now: number,
): LimitDecisions {
  const decisions = new Map<string, Decision>();
  const recheckAt: number[] = [];
  const good = new Map<string, Entry>();
  const placesByKey = Map.groupBy(places, ({ volumeKey }) => volumeKey);
  for (const [volumeKey, entries] of Map.groupBy(newestFirst, keyOf)) {
    const retained = entries.filter(({ course }) => course.kind === "retained");
    const lastGood = policy.keepAtLeastOne ? retained.find(isReady) : undefined;
    if (lastGood !== undefined) {
      good.set(lastGood.snapshot.key, lastGood);
    }
    recheckAt.push(...protectAndAge({ retained, lastGood, decisions }, policy, now));
    contest({
      entries,
      places: placesByKey.get(volumeKey) ?? [],
      contenders: retained.filter((entry) => mayGo(entry, decisions)),
      lastGood,
      decisions,
      limitOf: ({ number }) => number.number,
      over: "over_number",
      reasonOf: ({ number }) => words(number),
    });
  }
  contestCeilings(newestFirst, places, good, decisions);
  return { decisions, recheckAt };
}

function keyOf({ snapshot }: Entry): string {
  return snapshot.volumeKey;
}

/** Decides those that no limit touches, and those that age takes; returns when to look again. */
function protectAndAge(
  {
    retained,
    lastGood,
    decisions,
  }: { retained: Entry[]; lastGood: Entry | undefined; decisions: Map<string, Decision> },
  policy: RetentionPolicy,
  now: number,
): readonly number[] {
  const age = judgeByAge(retained, policy, now);
  for (const entry of retained) {
    const { key } = entry.snapshot;
    const byAge = age.decisions.get(key);
    if (entry.protection !== undefined) {
      decisions.set(key, { kept: true, reason: entry.protection });
    } else if (byAge?.kept === false && entry === lastGood) {
      decisions.set(key, { kept: true, reason: "last_good" });
    } else if (byAge !== undefined) {
      decisions.set(key, byAge);
    }
  }
  return age.recheckAt;
}

function mayGo(entry: Entry, decisions: ReadonlyMap<string, Decision>): boolean {
  return (
    entry.course.kind === "retained" &&
    entry.protection === undefined &&
    decisions.get(entry.snapshot.key)?.kept !== false
  );
}

function contestCeilings(
  newestFirst: readonly Entry[],
  places: readonly Place[],
  good: ReadonlyMap<string, Entry>,
  decisions: Map<string, Decision>,
): void {
  const placesByVolume = Map.groupBy(places, ({ stored }) => stored);
  const groups = Map.groupBy(newestFirst, ({ snapshot }) => snapshot.stored);
  for (const [stored, entries] of groups) {
    const contenders = entries.filter((entry) => mayGo(entry, decisions));
    contest({
      entries,
      places: placesByVolume.get(stored) ?? [],
      contenders,
      lastGood: contenders.find(({ snapshot }) => good.has(snapshot.key)),
      decisions,
      limitOf: ({ ceiling }) => ceiling?.number ?? UNBOUNDED,
      over: "over_ceiling",
      reasonOf: ({ ceiling }) => (ceiling === undefined ? "" : words(ceiling)),
    });
  }
}

/** Gives the places of one volume to its snapshots: the heart of retention. */
function contest(options: Contest): void {
  const { entries, contenders, decisions, limitOf, over } = options;
  const movable = new Set(contenders);
  const fixed = entries.filter((entry) => !movable.has(entry) && isFixed(entry, decisions)).length;
  const places = options.places.filter(({ limits }) => limitOf(limits) > 0).length;
  const guarded = guardOf(options, places);
  const unmovable = fixed + places + (guarded === undefined ? 0 : 1);
  let kept = 0;
  let dropped = 0;
  for (const entry of contenders) {
    const { key } = entry.snapshot;
    const most = limitOf(entry.limits);
    const detail = options.reasonOf(entry.limits);
    if (entry === guarded) {
      const fits = dropped === 0 && unmovable + kept <= most;
      keep(
        decisions,
        key,
        fits ? { kept: true, reason: "within_number", detail } : { kept: true, reason: "last_good" },
      );
    } else if (unmovable + kept < most) {
      keep(decisions, key, { kept: true, reason: "within_number", detail });
      kept += 1;
    } else {
      decisions.set(key, { kept: false, reason: overReason(most, unmovable + kept - places, over), detail });
      dropped += 1;
    }
  }
}

/** What was decided for a better reason stands. */
function keep(decisions: Map<string, Decision>, key: string, decision: Decision): void {
  if (!decisions.has(key)) {
    decisions.set(key, decision);
  }
}

function isFixed(entry: Entry, decisions: ReadonlyMap<string, Decision>): boolean {
  return occupies(entry) && decisions.get(entry.snapshot.key)?.kept !== false;
}

/** The newest good one stays, unless those on their way fill the limit alone: then it has to go first, or they are refused. */
function guardOf({ entries, contenders, lastGood, limitOf }: Contest, places: number): Entry | undefined {
  if (lastGood === undefined || !contenders.includes(lastGood)) {
    return undefined;
  }
  const onTheirWay = entries.filter((entry) => entry.course.kind === "in_flight" && occupies(entry)).length;
  return onTheirWay + places < limitOf(lastGood.limits) ? lastGood : undefined;
}

function overReason(most: number, keptWithoutPlaces: number, over: GoingReason): GoingReason {
  if (most === 0 && over === "over_number") {
    return "number_is_zero";
  }
  return keptWithoutPlaces < most ? "making_room" : over;
}

// Written once for all snapshots that have the same limit.
const written = new WeakMap<Limit, string>();

function words(limit: Limit): string {
  const { number, reason } = limit;
  const text = written.get(limit) ?? (number === UNBOUNDED ? reason : `${number}: ${reason}`);
  written.set(limit, text);
  return text;
}
