import type { Verdict } from "../admission/handler.ts";
import type { RoomAnswer, RoomNeed } from "../admission/room-needed.ts";
import { millisecondsOf } from "../policy/duration.ts";

/** Where room is asked for; an answer comes within the need's `waitMs`, and it never rejects. */
export interface AskForRoom {
  ask(need: RoomNeed): Promise<RoomAnswer>;
}

/** How a request that waits for room came in. */
export interface Waiting {
  readonly url: string | undefined;
  /** When its body had been read, in seconds of `clock`. */
  readonly start: number;
  readonly clock: () => number;
  readonly room?: AskForRoom;
}

/** What of the API server's patience is left for the way of our answer. */
const RESERVE_MS = 1_500;

/**
 * Waits until there is room for the snapshot that a verdict is about, at most as long as the policy allows and the API
 * server has patience for. The verdict stays what it is; it says what became of the wait.
 */
export async function withRoom(verdict: Verdict, { url, start, clock, room }: Waiting): Promise<Verdict> {
  const need = verdict.outcome.room;
  if (need === undefined || room === undefined) {
    return verdict;
  }
  const asked = clock();
  const patience = patienceOf(url) - RESERVE_MS - (asked - start) * 1000;
  const waitMs = Math.max(0, Math.min(need.waitMs, patience));
  const answer = await room.ask({ ...need, waitMs });
  return saying(verdict, need, { answer, waitedMs: Math.round((clock() - asked) * 1000) });
}

/** The API server adds to the URL how long it waits: `?timeout=10s`. */
function patienceOf(url: string | undefined): number {
  const timeout = new URLSearchParams((url ?? "").split("?")[1]).get("timeout");
  return timeout === null ? Infinity : millisecondsOf(timeout);
}

interface Answered {
  readonly answer: RoomAnswer;
  readonly waitedMs: number;
}

function saying(verdict: Verdict, { volumeName }: RoomNeed, { answer, waitedMs }: Answered): Verdict {
  const { outcome } = verdict;
  const audit = { ...outcome.audit, room: answer.kind, roomWaitMs: String(waitedMs) };
  if (answer.kind === "granted") {
    return { ...verdict, outcome: { ...outcome, audit: { ...audit, reason: "there is room for it" } } };
  }
  const reason = answer.kind === "late" ? `no answer within ${waitedMs} ms` : answer.reason;
  const warning = `snapshot-retainer: ${volumeName}: no room was made, so the storage may refuse this snapshot: ${reason}`;
  return {
    ...verdict,
    outcome: {
      ...outcome,
      code: "no_room",
      warnings: [...(outcome.warnings ?? []), warning],
      audit: { ...audit, reason },
    },
  };
}
