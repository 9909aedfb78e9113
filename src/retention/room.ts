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
  if (isInFlight && bornAt >= seenAtMs - SLACK_MS) {
    return true;
  }
  const ofBackup =
    backup !== undefined &&
    identity.backup?.namespace === backup.namespace &&
    identity.backup.name === backup.name;
  return ofBackup && (isInFlight || bornAt >= askedAtMs - SKEW_MS);
}

function placeOf(reservation: Reservation, relations: Relations, limitsOf: LimitsOf): Place {
  const { volume, volumeName, backup } = reservation;
  const stored = storedVolumeOf(relations.claim(volume.namespace, volume.name), relations);
  const limits = limitsOf({ volume, volumeName, backup, upload: undefined }, stored?.driver);
  return { volumeName, limits, stored: storedKeyOf(stored?.driver, stored?.volumeHandle, volumeName) };
}

/** The answer to each request: granted once the storage really has room, `none` when waiting cannot bring it. */
export function answerRoom(claimed: readonly Claimed[], facts: RoomFacts): RoomAnswer[] {
  if (claimed.length === 0) {
    return [];
  }
  const byName = Map.groupBy(facts.entries, ({ snapshot }) => snapshot.identity.volumeName);
  const byVolume = Map.groupBy(facts.entries, ({ snapshot }) => snapshot.stored);
  return claimed.map(({ reservation, state, place }) => {
    if (state !== "open") {
      const reason = state === "consumed" ? "the snapshot has come" : "the snapshot never came";
      return { reservation, answer: state, reason };
    }
    const named = (byName.get(place.volumeName) ?? []).filter(countsInNumber);
    const { number, ceiling } = place.limits;
    const halves = [
      ...(number.number > 0 ? [{ entries: named, most: number.number, reason: number.reason }] : []),
      ...(ceiling
        ? [{ entries: byVolume.get(place.stored) ?? [], most: ceiling.number, reason: ceiling.reason }]
        : []),
    ];
    return { reservation, ...worst(halves.map((half) => answerHalf(half, facts))) };
  });
}

/** What is on the storage because of retention, or will be: others are the storage's business, and the ceiling's. */
function countsInNumber({ course, limits }: Entry): boolean {
  return course.kind !== "left" && (course.kind !== "in_flight" || limits.number.number > 0);
}

interface Half {
  readonly entries: readonly Entry[];
  readonly most: number;
  readonly reason: string;
}

type Answer = Pick<RoomAnswer, "answer" | "reason">;

function answerHalf({ entries, most, reason }: Half, { decisions, held }: RoomFacts): Answer {
  if (entries.length < most) {
    return { answer: "granted", reason: `${entries.length} of ${most} places are taken (${reason})` };
  }
  const leaving = entries.filter(({ snapshot }) => {
    return decisions.get(snapshot.key)?.kept === false && !held.has(snapshot.key);
  });
  if (entries.length - leaving.length < most) {
    return { answer: "wait", reason: `${leaving.length} of ${entries.length} snapshots are being freed` };
  }
  const why = new Set(entries.map(({ snapshot }) => reasonToStay(snapshot.key, decisions, held)));
  const reasons = [...why].filter((text) => text !== undefined).join("; ");
  return { answer: "none", reason: `${entries.length} of ${most} places are taken (${reason}): ${reasons}` };
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
