import { createHash } from "node:crypto";
import type { RoomAnswer, RoomNeed } from "../admission/room-needed.ts";
import { messageOf } from "../log.ts";
import {
  ROOM_ANSWER_ANNOTATION,
  ROOM_BACKUP_ANNOTATION,
  ROOM_LABEL,
  ROOM_VOLUME_ANNOTATION,
  ROOM_VOLUME_NAME_ANNOTATION,
} from "./keys.ts";
import { microTime } from "./lease.ts";
import type { Lease } from "./lease.ts";
import { valueOf } from "./objects.ts";
import { ApiError } from "./rest.ts";
import type { Rest } from "./rest.ts";

/** Seconds that a request for room holds when nobody renews it; the controller then deletes it. */
const ROOM_SECONDS = 60;

/** What asking needs from outside. */
export interface RoomOptions {
  readonly rest: Pick<Rest, "call">;
  /** Our own namespace, where the Leases are. */
  readonly namespace: string;
  readonly randomId: () => string;
  readonly now: () => Date;
}

/** Asks the retention controller for room on the storage, through a Lease for each snapshot: a volume and a Backup. */
export interface Room {
  /** Resolves with the controller's answer, or with `late` after the need's `waitMs`; never rejects. */
  ask(need: RoomNeed): Promise<RoomAnswer>;
  /** Takes note of a Lease of our namespace as a watch saw it; `now` is undefined for a deletion. */
  update(now: Lease | undefined, before: Lease | undefined): void;
}

/** Asks by a single call where the watch knows whether there is a Lease already, else by at most two. */
export function createRoom(options: RoomOptions): Room {
  const known = new Set<string>();
  const questions = createQuestions();
  return {
    async ask(need) {
      if (need.waitMs <= 0) {
        return { kind: "late" };
      }
      const signal = AbortSignal.timeout(need.waitMs);
      const name = roomLeaseName(need);
      const holder = options.randomId();
      const body = leaseOf(name, { holder, need, now: options.now() });
      // Before anything is written: the answer may be seen sooner than the end of our own call.
      const question = questions.open(name, holder);
      signal.addEventListener("abort", () => question.end({ kind: "late" }), { once: true });
      write(options, { name, body, exists: known.has(name), signal }).then(
        () => question.written(),
        (error: unknown) => question.end({ kind: "failed", reason: messageOf(error) }),
      );
      return question.answer;
    },
    update(now, before) {
      if (now === undefined) {
        known.delete(before?.metadata.name ?? "");
      } else {
        known.add(now.metadata.name ?? "");
        questions.answer(now);
      }
    },
  };
}

/** A question that stands in a Lease, or is about to. */
interface Question {
  readonly answer: Promise<RoomAnswer>;
  /** It stands in the Lease. */
  written(): void;
  end(answer: RoomAnswer): void;
}

interface Questions {
  open(lease: string, holder: string): Question;
  /** Ends the questions that a Lease answers, as it was seen. */
  answer(lease: Lease): void;
}

function createQuestions(): Questions {
  const opened = new Map<string, { lease: string; written: boolean; end: (answer: RoomAnswer) => void }>();
  return {
    open(lease, holder) {
      const { promise, resolve } = Promise.withResolvers<RoomAnswer>();
      function end(answer: RoomAnswer): void {
        opened.delete(holder);
        resolve(answer);
      }
      const state = { lease, written: false, end };
      opened.set(holder, state);
      return {
        answer: promise,
        written: () => void (state.written = true),
        end,
      };
    },
    answer({ metadata, spec }) {
      const answered = parseAnswer(valueOf(metadata.annotations, ROOM_ANSWER_ANNOTATION));
      if (answered === undefined) {
        return;
      }
      opened.get(answered.holder)?.end(answered.answer);
      // Velero asks again for a snapshot whose answer it did not get: whoever still waits is told the same.
      for (const { lease, written, end } of opened.values()) {
        if (written && lease === metadata.name && answered.holder === spec?.holderIdentity) {
          end(answered.answer);
        }
      }
    },
  };
}

/** The Lease of one snapshot's request for room; hashed, since a PVC's name may be as long as a Lease's. */
export function roomLeaseName({ volume, backup }: Pick<RoomNeed, "volume" | "backup">): string {
  const parts = [volume.namespace, volume.name, backup.namespace, backup.name];
  const hash = createHash("sha256").update(parts.join("/")).digest("hex");
  return `snapshot-retainer-room-${hash.slice(0, 16)}`;
}

/** What the controller wrote, and to which question; undefined for anything else. */
export function parseAnswer(
  text: string | undefined,
): { readonly holder: string; readonly answer: RoomAnswer } | undefined {
  const [, holder, verdict, reason = ""] = /^(\S+) (granted|none)(?:: (.*))?$/s.exec(text ?? "") ?? [];
  if (holder === undefined) {
    return undefined;
  }
  return { holder, answer: verdict === "granted" ? { kind: "granted" } : { kind: "none", reason } };
}

function leaseOf(
  name: string,
  { holder, need, now }: { readonly holder: string; readonly need: RoomNeed; readonly now: Date },
): object {
  const { volume, volumeName, backup } = need;
  return {
    apiVersion: "coordination.k8s.io/v1",
    kind: "Lease",
    metadata: {
      name,
      labels: {
        "app.kubernetes.io/name": "snapshot-retainer",
        "velero.io/exclude-from-backup": "true",
        [ROOM_LABEL]: "true",
      },
      annotations: {
        [ROOM_VOLUME_ANNOTATION]: `${volume.namespace}/${volume.name}`,
        [ROOM_VOLUME_NAME_ANNOTATION]: volumeName,
        [ROOM_BACKUP_ANNOTATION]: `${backup.namespace}/${backup.name}`,
      },
    },
    spec: { holderIdentity: holder, leaseDurationSeconds: ROOM_SECONDS, renewTime: microTime(now) },
  };
}

interface Write {
  readonly name: string;
  readonly body: object;
  readonly exists: boolean;
  readonly signal: AbortSignal;
}

/** The Lease may have come or gone since it was last seen. */
async function write({ rest, namespace }: RoomOptions, { name, body, exists, signal }: Write): Promise<void> {
  const path = `/apis/coordination.k8s.io/v1/namespaces/${encodeURIComponent(namespace)}/leases`;
  async function create(): Promise<void> {
    await rest.call("POST", path, { body, signal });
  }
  async function patch(): Promise<void> {
    const contentType = "application/merge-patch+json";
    await rest.call("PATCH", `${path}/${name}`, { body, contentType, signal });
  }
  const [first, second, status] = exists ? [patch, create, 404] : [create, patch, 409];
  try {
    await first();
  } catch (error) {
    if (!(error instanceof ApiError) || error.status !== status) {
      throw error;
    }
    await second();
  }
}
