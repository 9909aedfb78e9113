import type { RetentionPolicy } from "../policy/schema.ts";
import { keepingActions } from "./actions.ts";
import { allot, isStarted } from "./budget.ts";
import type { Allotment, Going } from "./budget.ts";
import { entriesOf } from "./entries.ts";
import type { Setting } from "./entries.ts";
import type { Decision, Entry, Place } from "./entry.ts";
import { occupies } from "./entry.ts";
import { createLimits } from "./facts.ts";
import { freeOf } from "./free.ts";
import { applyLimits } from "./limits.ts";
import { isDeleting } from "./lifecycle.ts";
import { mendBackups, mendSnapshot } from "./mend.ts";
import { noticesOf } from "./notices.ts";
import type { Action, Plan, RoomAnswer } from "./plan.ts";
import { restoredOf, sourcesOf } from "./protections.ts";
import { createRecall } from "./recall.ts";
import type { Recall } from "./recall.ts";
import { relate } from "./relations.ts";
import type { Finder } from "./relations.ts";
import { answerRoom, claimPlaces } from "./room.ts";
import type { Claimed } from "./room.ts";
import { divide, settledOf } from "./settled.ts";
import { volumesOf } from "./verdicts.ts";
import type { SpokenVolume } from "./verdicts.ts";
import { backupKey, RESERVATION_MS } from "./world.ts";
import type { World } from "./world.ts";

/** What saves time, and changes nothing of a plan. */
export interface Shortcuts {
  /** What the plan before left: the same one from one call to the next. */
  readonly recall?: Recall | undefined;
  /** Finds the very objects of the world's lists: see `relate`. */
  readonly find?: Finder | undefined;
}

/**
 * What to do with a world under a policy, at `now` (milliseconds since 1970). Never throws. What is not known keeps a
 * snapshot; the order of the world's lists does not matter.
 */
export function decide(
  world: World,
  policy: RetentionPolicy,
  now: number,
  { recall = createRecall(), find }: Shortcuts = {},
): Plan {
  const relations = relate(world, find);
  const setting: Setting = {
    relations,
    policy,
    now,
    sources: sourcesOf(relations),
    restored: restoredOf(relations),
  };
  const limitsOf = createLimits(relations, policy);
  const { entries, fresh } = entriesOf(setting, limitsOf, recall);
  const claimed = claimPlaces(relations, entries, limitsOf, now);
  const places = claimed.filter(({ state }) => state === "open").map(({ place }) => place);
  const { settled, open } = divide(entries, places, recall);
  const outcome = judge(open, claimed, places, setting);
  const { decisions, allotment, actions } = outcome;
  const room = answerRoom(claimed, { entries: open, decisions, held: allotment.held });
  const spoken = volumesOf(open, decisions, allotment.held, recall);
  recall.keepEntries(open, setting);
  recall.keepVolumes([...settled, ...settledOf(spoken, { policy, places, actions, recall })]);
  return {
    ...inOrder([...settled, ...spoken]),
    actions,
    // Requests from before the mode was audit are cleared away, as nobody else does.
    room: policy.mode === "audit" ? room.filter(isOver) : room,
    recheckAt: earliest(timesOf(outcome), now),
    notices: noticesOf({ entries: open, contents: fresh, relations, policy, now }),
    missingBackups: missingBackups(open),
  };
}

function inOrder(volumes: readonly SpokenVolume[]): Pick<Plan, "volumes" | "snapshots"> {
  const byName = volumes.toSorted((a, b) => (a.plan.volumeName < b.plan.volumeName ? -1 : 1));
  return {
    volumes: byName.map(({ plan }) => plan),
    snapshots: byName.flatMap(({ verdicts }) => verdicts),
  };
}

function isOver({ answer }: RoomAnswer): boolean {
  return answer === "consumed" || answer === "lapsed";
}

/** Everything decided about the snapshots that are judged anew, from which the plan is written. */
interface Outcome {
  readonly entries: readonly Entry[];
  readonly decisions: ReadonlyMap<string, Decision>;
  readonly allotment: Allotment;
  readonly claimed: readonly Claimed[];
  readonly actions: readonly Action[];
  readonly recheckAt: readonly number[];
}

function judge(
  entries: readonly Entry[],
  claimed: readonly Claimed[],
  places: readonly Place[],
  setting: Setting,
): Outcome {
  const { policy, relations, now } = setting;
  const limits = applyLimits(entries, places, policy, now);
  const decisions = new Map(
    entries.map((entry) => [entry.snapshot.key, decisionAbout(entry, limits.decisions)]),
  );
  const allotment = allot(goingOf(entries, decisions, places), policy, relations.world.freedAt, now);
  const decided = { entries, decisions, allotment };
  const actions = policy.mode === "audit" ? [] : actionsOf(decided, setting);
  return { ...decided, claimed, actions, recheckAt: limits.recheckAt };
}

function decisionAbout(
  { snapshot, course, shield }: Entry,
  byLimits: ReadonlyMap<string, Decision>,
): Decision {
  switch (course.kind) {
    case "in_flight":
    case "held":
    case "left":
      return { kept: true, reason: course.reason };
    case "retained":
      // The limits judge each of these; one that they forgot is kept.
      return byLimits.get(snapshot.key) ?? { kept: true, reason: "within_number" };
    case "going":
      return shield !== undefined && !isDeleting(snapshot)
        ? { kept: true, reason: shield, detail: `though ${course.reason}` }
        : { kept: false, reason: course.reason };
  }
}

function goingOf(
  entries: readonly Entry[],
  decisions: ReadonlyMap<string, Decision>,
  places: readonly Place[],
): Going[] {
  const keys = new Set(places.map(({ volumeKey }) => volumeKey));
  const volumes = new Set(places.map(({ stored }) => stored));
  return entries.flatMap((entry) => {
    const decision = decisions.get(entry.snapshot.key);
    if (decision === undefined || decision.kept) {
      return [];
    }
    const { volumeKey, stored } = entry.snapshot;
    const makesRoom = keys.has(volumeKey) || volumes.has(stored);
    return [{ entry, decision, started: isStarted(entry), makesRoom }];
  });
}

function actionsOf(
  { entries, decisions, allotment }: Pick<Outcome, "entries" | "decisions" | "allotment">,
  { relations, policy, now }: Setting,
): Action[] {
  const crowded = policy.mode === "paused" ? crowdedOf(entries) : new Set<string>();
  const keeping = entries.flatMap((entry) => {
    const decision = decisions.get(entry.snapshot.key);
    const mayProtect = !crowded.has(entry.snapshot.key);
    return decision === undefined ? [] : keepingActions({ entry, decision, relations, mayProtect });
  });
  const mending = entries.flatMap((entry) => mendSnapshot(entry, relations, policy));
  const freeing = allotment.free
    .map((going) => freeOf(going, relations, now))
    .filter((action) => action !== undefined);
  return [...keeping, ...mending, ...mendBackups(relations, policy, now), ...freeing];
}

/** The snapshots of volumes that have more than their limits: while nothing is freed, none of them may be added to. */
function crowdedOf(entries: readonly Entry[]): ReadonlySet<string> {
  const taking = entries.filter(occupies);
  const byKey = Map.groupBy(taking, ({ snapshot }) => snapshot.volumeKey);
  const byVolume = Map.groupBy(taking, ({ snapshot }) => snapshot.stored);
  const crowded = taking.filter(({ snapshot, limits }) => {
    const named = byKey.get(snapshot.volumeKey)?.length ?? 0;
    const stored = byVolume.get(snapshot.stored)?.length ?? 0;
    return named > limits.number.number || stored > (limits.ceiling?.number ?? Infinity);
  });
  return new Set(crowded.map(({ snapshot }) => snapshot.key));
}

/** When time alone changes something. */
function* timesOf({
  entries,
  allotment,
  claimed,
  actions,
  recheckAt,
}: Outcome): Generator<number | undefined> {
  for (const { course, backup } of entries) {
    if ("until" in course) yield course.until;
    if (backup.kind === "missing") yield backup.recheckAt;
  }
  for (const { reservation, state } of claimed) {
    if (state === "open" || state === "unproven") yield reservation.seenAtMs + RESERVATION_MS;
  }
  yield* allotment.recheckAt;
  yield* recheckAt;
  for (const action of actions) {
    if (action.kind === "free") yield action.snapshot?.deleteAt;
  }
}

function earliest(times: Iterable<number | undefined>, now: number): number | undefined {
  let first: number | undefined;
  for (const at of times) {
    if (at !== undefined && at > now && (first === undefined || at < first)) first = at;
  }
  return first;
}

/** The Backups that are not there, by which `missingSince` is kept. */
function missingBackups(entries: readonly Entry[]): string[] {
  const keys = new Set<string>();
  for (const { snapshot, backup } of entries) {
    const reference = snapshot.identity.backup;
    if (reference !== undefined && (backup.kind === "missing" || backup.kind === "gone")) {
      keys.add(backupKey(reference));
    }
  }
  return [...keys].toSorted();
}
