import { RELEASED_LABEL } from "../kube/keys.ts";
import { valueOf } from "../kube/objects.ts";
import type { RetentionPolicy } from "../policy/schema.ts";
import type { Decision, Entry } from "./entry.ts";
import { isDeleting } from "./lifecycle.ts";
import { releasedAs } from "./record.ts";
import type { GoingReason, HeldReason } from "./reasons.ts";

/** A snapshot that should go. */
export interface Going {
  readonly entry: Entry;
  readonly decision: Extract<Decision, { readonly kept: false }>;
  /** Freeing began earlier. */
  readonly started: boolean;
  /** A request for room waits for its volume. */
  readonly makesRoom: boolean;
}

/** What may be freed now, the most urgent first, and what holds the others. */
export interface Allotment {
  readonly free: readonly Going[];
  readonly held: ReadonlyMap<string, HeldReason>;
  readonly recheckAt: readonly number[];
}

const MINUTE = 60_000;

/** How urgent each reason is: what nobody wants first, then what its Backup's end asks for, then limits, then age. */
const URGENCY: Readonly<Record<GoingReason, number>> = {
  making_room: 0,
  released: 1,
  being_deleted: 1,
  upload_failed: 1,
  upload_canceled: 1,
  upload_too_late: 1,
  upload_unproven: 1,
  mover_never_finished: 1,
  backup_failed: 1,
  backup_deleted: 2,
  backup_gone: 2,
  backup_replaced: 2,
  release_asked: 2,
  over_ceiling: 3,
  over_number: 3,
  number_is_zero: 3,
  older_than_max_age: 4,
  not_in_a_bucket: 4,
};

/** Whether freeing was begun: by us, which its content or its DataUpload says, or by whoever deleted the content. */
export function isStarted({ snapshot }: Entry): boolean {
  return (
    isDeleting(snapshot) ||
    valueOf(snapshot.content?.metadata.labels, RELEASED_LABEL) !== undefined ||
    releasedAs(snapshot.identity.upload) !== undefined
  );
}

/** Lets as many go as the policy's mode and its `deletionsPerMinute` allow; what was started is not counted again. */
export function allot(
  going: readonly Going[],
  policy: RetentionPolicy,
  freedAt: readonly number[],
  now: number,
): Allotment {
  const order = going.toSorted((a, b) => urgency(a) - urgency(b) || byAge(a, b));
  if (policy.mode !== "enforce") {
    const held = policy.mode === "paused" ? "paused" : "audited";
    return { free: [], held: new Map(order.map(({ entry }) => [entry.snapshot.key, held])), recheckAt: [] };
  }
  const recent = freedAt.filter((at) => at > now - MINUTE && at <= now).toSorted((a, b) => a - b);
  const open = Math.max(0, policy.deletionsPerMinute - recent.length);
  const begun = order.filter(({ started }) => started);
  const others = order.filter(({ started }) => !started);
  const waiting = others.slice(open);
  return {
    free: [...begun, ...others.slice(0, open)].toSorted((a, b) => urgency(a) - urgency(b)),
    held: new Map(waiting.map(({ entry }) => [entry.snapshot.key, "waiting_for_budget"])),
    recheckAt: waiting.length > 0 ? [(recent[0] ?? now) + MINUTE] : [],
  };
}

function urgency({ decision, makesRoom }: Going): number {
  return makesRoom ? 0 : URGENCY[decision.reason];
}

// Oldest first: entries are compared by what ordered them.
function byAge(a: Going, b: Going): number {
  return a.entry.snapshot.takenNs - b.entry.snapshot.takenNs || compare(a, b);
}

function compare(a: Going, b: Going): number {
  return a.entry.snapshot.key < b.entry.snapshot.key ? -1 : 1;
}
