import { ROOM_ANSWER_ANNOTATION } from "../kube/keys.ts";
import type { Lease } from "../kube/lease.ts";
import { valueOf } from "../kube/objects.ts";
import { isOvertaken } from "../kube/rest.ts";
import type { RoomAnswer } from "../retention/plan.ts";
import type { ObjectRef } from "../retention/plan.ts";
import type { Writes } from "./writes.ts";

/** What is to be done with one request for room. */
export interface RoomWork {
  readonly lease: ObjectRef;
  readonly answer: RoomAnswer;
}

/** The requests that have an answer which is not written yet, or that are over. */
export function roomWork(answers: readonly RoomAnswer[], leases: Iterable<Lease>): RoomWork[] {
  const byHolder = new Map([...leases].map((lease) => [lease.spec?.holderIdentity ?? "", lease]));
  return answers.flatMap((answer) => {
    const lease = byHolder.get(answer.reservation.holder);
    if (lease === undefined || !isDue(answer, lease)) return [];
    const { namespace, name = "", uid, resourceVersion } = lease.metadata;
    return [{ lease: { namespace, name, uid, resourceVersion }, answer }];
  });
}

function isDue(answer: RoomAnswer, { metadata }: Lease): boolean {
  switch (answer.answer) {
    case "wait":
      return false;
    case "granted":
    case "none": {
      // Once answered, nobody waits any more.
      const written = valueOf(metadata.annotations, ROOM_ANSWER_ANNOTATION) ?? "";
      return !written.startsWith(`${answer.reservation.holder} `);
    }
    case "consumed":
    case "lapsed":
      return true;
  }
}

/**
 * Writes the answer, or removes what is over; each only of the request that was decided about: one that was asked again
 * meanwhile gets its own. Resolves with whether it was this one's.
 */
export async function applyRoomWork({ lease, answer }: RoomWork, writes: Writes): Promise<boolean> {
  const path = `/apis/coordination.k8s.io/v1/namespaces/${lease.namespace ?? ""}/leases/${lease.name}`;
  try {
    if (answer.answer === "consumed" || answer.answer === "lapsed") {
      await writes.remove(path, lease);
    } else {
      await writes.patch(path, lease, {
        metadata: { annotations: { [ROOM_ANSWER_ANNOTATION]: textOf(answer) } },
      });
    }
    return true;
  } catch (error) {
    if (isOvertaken(error)) return false;
    throw error;
  }
}

/** One line, bound to the request by the id that it chose. */
function textOf({ reservation, answer, reason }: RoomAnswer): string {
  return answer === "none" ? `${reservation.holder} none: ${reason}` : `${reservation.holder} ${answer}`;
}
