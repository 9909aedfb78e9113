import { ceilingOf, numberOf } from "../policy/limit.ts";
import type { VolumeFacts } from "../policy/limit.ts";
import type { Inherited } from "./inherited.ts";
import type { Outcome } from "./outcome.ts";
import type { Surroundings } from "./rule.ts";

/** For whom room is to be made on the storage: one volume, of which one Backup is about to take a snapshot. */
export interface RoomNeed {
  /** The PVC. */
  readonly volume: { readonly namespace: string; readonly name: string };
  /** Value of the label velero.io/snapshot-volume-name. */
  readonly volumeName: string;
  readonly backup: { readonly namespace: string; readonly name: string };
  /** How long its snapshot may wait for room at most, in milliseconds. */
  readonly waitMs: number;
}

/** What became of a request for room. */
export type RoomAnswer =
  | { readonly kind: "granted" }
  /** The controller cannot, or may not, free any of the volume's snapshots. */
  | { readonly kind: "none"; readonly reason: string }
  /** No answer came in time. */
  | { readonly kind: "late" }
  /** The request could not be made. */
  | { readonly kind: "failed"; readonly reason: string };

/** What is known of the volume that a snapshot is about to be taken of. */
export interface RoomFacts {
  /** Undefined where a look-up failed: then nobody knows the volume's number. */
  readonly facts: VolumeFacts | undefined;
  /** How many snapshots of it this replica knows, retained or on their way. */
  readonly taken: number;
}

/**
 * Whether there may be no room for one more snapshot of a volume. Asking without need costs two writes; not asking
 * costs a refused snapshot: so what is not known counts for asking, and the controller decides.
 */
function isRoomNeeded({ facts, taken }: RoomFacts, policy: Surroundings["policy"]): boolean {
  if (taken === 0 || facts === undefined) {
    return taken > 0;
  }
  // A snapshot that is not to be retained takes a place on the storage all the same: the ceiling holds for it too.
  const halves = [numberOf(policy, facts).number, ceilingOf(policy, facts)?.number ?? 0];
  return halves.some((most) => most > 0 && taken >= most);
}

/** Whether anybody may be asked for room at all. */
export function mayAskForRoom(
  { dryRun }: { readonly dryRun: boolean },
  { policy, controllerAlive }: Pick<Surroundings, "policy" | "controllerAlive">,
): boolean {
  return !dryRun && controllerAlive && policy.mode === "enforce";
}

/** What the outcome of an original says of room: nothing where there is enough, or nobody knows who would need it. */
export function askingForRoom(
  { volume, volumeName, backup }: Inherited,
  room: RoomFacts | undefined,
  policy: Surroundings["policy"],
): Pick<Outcome, "room" | "audit"> {
  const { namespace, name } = volume;
  const isAsked = namespace !== undefined && backup !== undefined && room !== undefined;
  return isAsked && isRoomNeeded(room, policy)
    ? {
        room: { volume: { namespace, name }, volumeName, backup, waitMs: policy.waitForRoom },
        audit: { room: "needed", reason: "the volume is at its number: room is asked for" },
      }
    : {};
}
