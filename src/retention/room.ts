import type { HeldReason } from "./reasons.ts";
import { KEPT_REASONS, HELD_REASONS } from "./reasons.ts";
import { isTakingSnapshots } from "./identify.ts";
import { storedVolumeOf } from "./snapshot-facts.ts";
import { storedKeyOf } from "./storage-snapshot.ts";
import type { Decision, Entry, Place } from "./entry.ts";
import type { LimitsOf } from "./facts.ts";
import type { RoomAnswer } from "./plan.ts";
import type { Relations } from "./relations.ts";
import { volumeKeyOf } from "./volume-key.ts";
import { RESERVATION_MS } from "./world.ts";
import type { Reservation } from "./world.ts";

/** A VolumeSnapshot that was created this much before its request was seen may be the one that asked: times are whole seconds. */
const SLACK_MS = 2000;

/** The clocks of the webhook and of the storage may differ by this much: more than any that still verify certificates in time. */
const SKEW_MS = 5 * 60_000;

/** A reservation, and the place that it holds while it is open. */
export interface Claimed {
  readonly reservation: Reservation;
  /** `unproven`: its Backup takes no snapshots, as far as is seen. It holds no place. */
  readonly state: "open" | "unproven" | "consumed" | "lapsed";
  readonly place: Place;
}

/** What is to be known of all snapshots to answer a request for room. */
export interface RoomFacts {
  readonly entries: readonly Entry[];
  readonly decisions: ReadonlyMap<string, Decision>;
  readonly held: ReadonlyMap<string, HeldReason>;
}

/** The places that requests for room hold. */
export function claimPlaces(
  relations: Relations,
  entries: readonly Entry[],
  limitsOf: LimitsOf,
  now: number,
): Claimed[] {
  return relations.world.reservations.map((reservation) => ({
    reservation,
    state: stateOf(reservation, entries, relations, now),
    place: placeOf(reservation, relations, limitsOf),
  }));
}

function stateOf(
  reservation: Reservation,
  entries: readonly Entry[],
  relations: Relations,
  now: number,
): Claimed["state"] {
  if (entries.some((entry) => isFor(entry, reservation))) {
    return "consumed";
  }
  const { backup, seenAtMs, askedAtMs } = reservation;
  // Nobody answered while no controller ran: whoever asked has gone on long ago.
  if (now >= seenAtMs + RESERVATION_MS || now >= askedAtMs + RESERVATION_MS + SKEW_MS) {
    return "lapsed";
  }
  // Whoever reaches the webhook's port can ask in Velero's name: nothing is freed for a Backup that nobody started.
  return backup === undefined || isTakingSnapshots(relations.backup(backup)) ? "open" : "unproven";
}

/**
 * Whether a snapshot is the one that room was asked for. A Backup takes one of a volume; where it had a namesake, only one
 * that is on its way or was taken since counts. Where no Backup is known, the time alone has to tell.
 */
function isFor(
  { snapshot, course }: Entry,
  { volume, volumeName, backup, seenAtMs, askedAtMs }: Reservation,
): boolean {
  const { identity, bornAt = 0 } = snapshot;
  if (snapshot.volumeKey !== volumeKeyOf({ volumeName, volume })) {
    return false;
  }
  const isInFlight = course.kind === "in_flight";
  if (backup === undefined || identity.backup === undefined) {
    return isInFlight && bornAt >= seenAtMs - SLACK_MS;
  }
  const ofBackup = identity.backup.namespace === backup.namespace && identity.backup.name === backup.name;
  return ofBackup && (isInFlight || bornAt >= askedAtMs - SKEW_MS);
}

function placeOf(reservation: Reservation, relations: Relations, limitsOf: LimitsOf): Place {
  const { volume, volumeName, backup } = reservation;
  const stored = storedVolumeOf(relations.claim(volume.namespace, volume.name), relations);
  const limits = limitsOf({ volume, volumeName, backup, upload: undefined }, stored?.driver);
  const volumeKey = volumeKeyOf({ volumeName, volume });
  return { volumeKey, limits, stored: storedKeyOf(stored?.driver, stored?.volumeHandle, volumeKey) };
}

/**
 * The answer to each request: granted once the storage really has room, `none` when waiting cannot bring it. Who asked first
 * comes first: a place is never granted twice.
 */
export function answerRoom(claimed: readonly Claimed[], facts: RoomFacts): RoomAnswer[] {
  if (claimed.length === 0) {
    return [];
  }
  const byKey = Map.groupBy(facts.entries, ({ snapshot }) => snapshot.volumeKey);
  const byVolume = Map.groupBy(facts.entries, ({ snapshot }) => snapshot.stored);
  const queue = claimed.filter(({ state }) => state === "open").toSorted(whoAskedFirst);
  return claimed.map((claim) => {
    const { reservation, state, place } = claim;
    if (state !== "open") {
      const answer = state === "unproven" ? "wait" : state;
      return { reservation, answer, reason: WHY_NOT_OPEN[state] };
    }
    const before = queue.slice(0, queue.indexOf(claim)).map((earlier) => earlier.place);
    const halves = [
      ...halfOfNumber(place, byKey.get(place.volumeKey) ?? [], before),
      ...halfOfCeiling(place, byVolume.get(place.stored) ?? [], before),
    ];
    return { reservation, ...worst(halves.map((half) => answerHalf(half, facts))) };
  });
}

const WHY_NOT_OPEN = {
  unproven: "its Backup takes no snapshots now",
  consumed: "the snapshot has come",
  lapsed: "the snapshot never came",
} as const;

function whoAskedFirst({ reservation: a }: Claimed, { reservation: b }: Claimed): number {
  return a.seenAtMs - b.seenAtMs || a.askedAtMs - b.askedAtMs || (a.holder < b.holder ? -1 : 1);
}

function halfOfNumber({ volumeKey, limits }: Place, entries: readonly Entry[], before: Place[]): Half[] {
  const { number, reason } = limits.number;
  const promised = before.filter((other) => other.volumeKey === volumeKey && other.limits.number.number > 0);
  return number > 0
    ? [{ entries: entries.filter(countsInNumber), promised: promised.length, most: number, reason }]
    : [];
}

function halfOfCeiling({ stored, limits }: Place, entries: readonly Entry[], before: Place[]): Half[] {
  const promised = before.filter((other) => other.stored === stored).length;
  return limits.ceiling === undefined
    ? []
    : [{ entries, promised, most: limits.ceiling.number, reason: limits.ceiling.reason }];
}

/** What is on the storage because of retention, or will be: others are the storage's business, and the ceiling's. */
function countsInNumber({ course, limits }: Entry): boolean {
  return course.kind !== "left" && (course.kind !== "in_flight" || limits.number.number > 0);
}

/** One half of a volume's limit, and what counts in it. */
interface Half {
  readonly entries: readonly Entry[];
  /** Places of those who asked before. */
  readonly promised: number;
  readonly most: number;
  readonly reason: string;
}

type Answer = Pick<RoomAnswer, "answer" | "reason">;

function answerHalf({ entries, promised, most, reason }: Half, { decisions, held }: RoomFacts): Answer {
  const taken = entries.length + promised;
  if (taken < most) {
    return { answer: "granted", reason: `${taken} of ${most} places are taken (${reason})` };
  }
  const leaving = entries.filter(({ snapshot }) => {
    return decisions.get(snapshot.key)?.kept === false && !held.has(snapshot.key);
  });
  if (taken - leaving.length < most) {
    return { answer: "wait", reason: `${leaving.length} of ${entries.length} snapshots are being freed` };
  }
  const why = new Set(entries.map(({ snapshot }) => reasonToStay(snapshot.key, decisions, held)));
  const reasons = [...why, promised > 0 ? "another backup is about to take a snapshot" : undefined];
  const stay = reasons.filter((text) => text !== undefined).join("; ");
  return { answer: "none", reason: `${taken} of ${most} places are taken (${reason}): ${stay}` };
}

function reasonToStay(
  key: string,
  decisions: RoomFacts["decisions"],
  held: RoomFacts["held"],
): string | undefined {
  const holding = held.get(key);
  const decision = decisions.get(key);
  return holding === undefined
    ? decision?.kept === true
      ? KEPT_REASONS[decision.reason]
      : undefined
    : HELD_REASONS[holding];
}

function worst(answers: readonly Answer[]): Answer {
  const order = ["none", "wait", "granted"] as const;
  return (
    order
      .map((kind) => answers.find(({ answer }) => answer === kind))
      .find((found) => found !== undefined) ?? {
      answer: "granted",
      reason: "no limit applies",
    }
  );
}
