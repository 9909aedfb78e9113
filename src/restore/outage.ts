import { formatDuration } from "../policy/duration.ts";
import type { RetentionPolicy } from "../policy/schema.ts";

/**
 * Since when the controller has not been alive, milliseconds of a monotonic clock; undefined while it is. One that was
 * never seen is down since the first look.
 */
export function downSince(before: number | undefined, alive: boolean, now: number): number | undefined {
  return alive ? undefined : (before ?? now);
}

/** Why what waits for the controller is to be handed back to Velero; undefined while it may still come back in time. */
export function handBackReason(
  since: number | undefined,
  now: number,
  { restore }: Pick<RetentionPolicy, "restore">,
): string | undefined {
  return since === undefined || now - since <= restore.handBackAfter
    ? undefined
    : `the controller has been down for longer than handBackAfter (${formatDuration(restore.handBackAfter)})`;
}
