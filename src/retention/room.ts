import type { HeldReason } from "./reasons.ts";
import { KEPT_REASONS, HELD_REASONS } from "./reasons.ts";
import { storedVolumeOf } from "./snapshot-facts.ts";
import { storedKeyOf } from "./storage-snapshot.ts";
import type { Decision, Entry, Place } from "./entry.ts";
import type { LimitsOf } from "./facts.ts";
import type { RoomAnswer } from "./plan.ts";
import type { Relations } from "./relations.ts";
import { RESERVATION_MS } from "./world.ts";
import type { Reservation } from "./world.ts";

/** A VolumeSnapshot that was created this much before its request was seen may be the one that asked: times are whole seconds. */
const SLACK_MS = 2000;

/** The clocks of the webhook and of the storage may differ by this much: more than any that still verify certificates in time. */
const SKEW_MS = 5 * 60_000;

/** A reservation, and the place that it holds while it is neither used nor lapsed. */
export interface Claimed {
  readonly reservation: Reservation;
  readonly state: "open" | "consumed" | "lapsed";
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
    state: stateOf(reservation, entries, now),
    place: placeOf(reservation, relations, limitsOf),
  }));
}

function stateOf(reservation: Reservation, entries: readonly Entry[], now: number): Claimed["state"] {
  if (entries.some((entry) => isFor(entry, reservation))) {
    return "consumed";
  }
  const { seenAtMs, askedAtMs } = reservation;
  // Nobody answered while no controller ran: whoever asked has gone on long ago.
  return now >= seenAtMs + RESERVATION_MS || now >= askedAtMs + RESERVATION_MS + SKEW_MS ? "lapsed" : "open";
}

/**
 * Whether a snapshot is the one that room was asked for. A Backup takes one of a volume; where it had a namesake, only one
 * that is on its way or was taken since counts. Where no Backup is known, the time alone has to tell.
 */
function isFor(
  { snapshot, course }: Entry,
  { volumeName, backup, seenAtMs, askedAtMs }: Reservation,
): boolean {
  const { identity, bornAt = 0 } = snapshot;
  if (identity.volumeName !== volumeName) {
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
  return { volumeName, limits, stored: storedKeyOf(stored?.driver, stored?.volumeHandle, volumeName) };
}

/**
 * The answer to each request: granted once the storage really has room, `none` when waiting cannot bring it. Who asked first
 * comes first: a place is never granted twice.
 */
export function answerRoom(claimed: readonly Claimed[], facts: RoomFacts): RoomAnswer[] {
  if (claimed.length === 0) {
    return [];
  }
  const byName = Map.groupBy(facts.entries, ({ snapshot }) => snapshot.identity.volumeName);
  const byVolume = Map.groupBy(facts.entries, ({ snapshot }) => snapshot.stored);
  const queue = claimed.filter(({ state }) => state === "open").toSorted(whoAskedFirst);
  return claimed.map((claim) => {
    const { reservation, state, place } = claim;
    if (state !== "open") {
      const reason = state === "consumed" ? "the snapshot has come" : "the snapshot never came";
      return { reservation, answer: state, reason };
    }
    const before = queue.slice(0, queue.indexOf(claim)).map((earlier) => earlier.place);
    const halves = [
      ...halfOfNumber(place, byName.get(place.volumeName) ?? [], before),
      ...halfOfCeiling(place, byVolume.get(place.stored) ?? [], before),
    ];
    return { reservation, ...worst(halves.map((half) => answerHalf(half, facts))) };
  });
}

function whoAskedFirst({ reservation: a }: Claimed, { reservation: b }: Claimed): number {
  return a.seenAtMs - b.seenAtMs || a.askedAtMs - b.askedAtMs || (a.holder < b.holder ? -1 : 1);
}

function halfOfNumber({ volumeName, limits }: Place, entries: readonly Entry[], before: Place[]): Half[] {
  const { number, reason } = limits.number;
  const promised = before.filter(
    (other) => other.volumeName === volumeName && other.limits.number.number > 0,
  );
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
