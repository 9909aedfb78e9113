import {
  RETAINED_LABEL,
  ROOM_BACKUP_ANNOTATION,
  ROOM_VOLUME_ANNOTATION,
  ROOM_VOLUME_NAME_ANNOTATION,
} from "../kube/keys.ts";
import type { Lease } from "../kube/lease.ts";
import { valueOf } from "../kube/objects.ts";
import type { Memory } from "../retention/memory.ts";
import type { Backup, DeleteBackupRequest, VolumeSnapshotContent } from "../retention/objects.ts";
import { backupKey } from "../retention/world.ts";
import type { Reservation, World } from "../retention/world.ts";

/** What this process has seen and no object tells any more. Each function computes; the clock is the caller's. */
export interface Sightings {
  contentChanged(now: VolumeSnapshotContent | undefined, before: VolumeSnapshotContent | undefined): void;
  /** A Backup may be Deleting and gone between two looks at the world. */
  backupChanged(now: Backup | undefined, at: number): void;
  deleteBackupRequestChanged(now: DeleteBackupRequest | undefined, at: number): void;
  /** A request for room; true where it asks for something new. */
  roomChanged(now: Lease | undefined, before: Lease | undefined, at: number): boolean;
  /**
   * A content that was seen to go with the policy Delete, as it last was: its snapshot went with it, whatever DataUploads
   * still say. Undefined once there is one of that name again.
   */
  gone(name: string): VolumeSnapshotContent | undefined;
  /** Freeing one was begun. */
  freeBegan(at: number): void;
  /** What the last look at the world leaves to the next. */
  remember(memory: Memory): void;
  read(at: number): Pick<World, "reservations" | "deletions" | "missingSince" | "freedAt" | "vanished">;
}

/**
 * How long a deletion is remembered whose Backup does not come back: freeing what belonged to it takes seconds, and where
 * it could not be freed for a day, the absence of the Backup tells as much.
 */
const DELETION_MS = 24 * 60 * 60_000;
/** The budget counts the frees of a minute. */
const FREED_MS = 60_000;
/**
 * Most contents remembered that disappeared: far more than go between two looks. Each is made again, found to be
 * superfluous, or known to be gone from its DataUpload as well by the next plan.
 */
const MOST_DISAPPEARED = 1_000;

/** Nothing seen yet. */
export function createSightings(): Sightings {
  const vanished = createDisappeared(wasRetained);
  const gone = createDisappeared(({ spec }) => spec.deletionPolicy === "Delete");
  const rooms = createRooms();
  let deletions: ReadonlyMap<string, number> = new Map();
  let missingSince: ReadonlyMap<string, number> = new Map();
  let freedAt: readonly number[] = [];

  function deletionSeen(namespace: string | undefined, name: string, at: number): void {
    deletions = new Map(recent(deletions, at)).set(backupKey({ namespace: namespace ?? "", name }), at);
  }
  return {
    contentChanged(now, before) {
      vanished.update(now, before);
      gone.update(now, before);
    },
    gone: gone.get,
    backupChanged(now, at) {
      if (now?.status?.phase === "Deleting") {
        deletionSeen(now.metadata.namespace, now.metadata.name ?? "", at);
      }
    },
    deleteBackupRequestChanged(now, at) {
      if (now?.status?.phase === "InProgress") {
        deletionSeen(now.metadata.namespace, now.spec.backupName, at);
      }
    },
    roomChanged: rooms.update,
    freeBegan(at) {
      freedAt = [...withinMinute(freedAt, at), at];
    },
    remember(memory) {
      ({ deletions, missingSince } = memory);
    },
    read: (at) => ({
      reservations: rooms.all(),
      deletions: new Map(recent(deletions, at)),
      missingSince,
      freedAt: withinMinute(freedAt, at),
      vanished: vanished.all(),
    }),
  };
}

function recent(deletions: ReadonlyMap<string, number>, now: number): [string, number][] {
  return [...deletions].filter(([, at]) => at > now - DELETION_MS);
}

function withinMinute(times: readonly number[], now: number): readonly number[] {
  return times.filter((time) => time > now - FREED_MS);
}

interface Disappeared {
  readonly update: Sightings["contentChanged"];
  readonly get: (name: string) => VolumeSnapshotContent | undefined;
  readonly all: () => VolumeSnapshotContent[];
}

/** Contents that disappeared and are not back, of those that are meant. */
function createDisappeared(isMeant: (content: VolumeSnapshotContent) => boolean): Disappeared {
  const contents = new Map<string, VolumeSnapshotContent>();
  return {
    update(now, before) {
      if (now !== undefined) {
        contents.delete(now.metadata.name ?? "");
      } else if (before !== undefined && isMeant(before)) {
        contents.set(before.metadata.name ?? "", before);
        const [oldest = ""] = contents.keys();
        if (contents.size > MOST_DISAPPEARED) contents.delete(oldest);
      }
    },
    get: (name) => contents.get(name),
    all: () => [...contents.values()],
  };
}

interface Rooms {
  readonly update: Sightings["roomChanged"];
  readonly all: () => Reservation[];
}

function createRooms(): Rooms {
  const reservations = new Map<string, Reservation>();
  return {
    update(now, before, at) {
      const name = (now ?? before)?.metadata.name ?? "";
      const asked = now && reservationOf(now, at);
      if (asked === undefined) {
        reservations.delete(name);
        return false;
      }
      // The same question again, with an answer on it or not, is as old as it was.
      const isNew = reservations.get(name)?.holder !== asked.holder;
      if (isNew) reservations.set(name, asked);
      return isNew;
    },
    all: () => [...reservations.values()],
  };
}

function wasRetained({ metadata, spec }: VolumeSnapshotContent): boolean {
  return valueOf(metadata.labels, RETAINED_LABEL) === "true" && spec.deletionPolicy === "Retain";
}

/** What a Lease asks for; undefined where it does not say who asks, or for what. */
function reservationOf({ metadata, spec }: Lease, at: number): Reservation | undefined {
  const holder = spec?.holderIdentity ?? "";
  const volume = namespacedName(valueOf(metadata.annotations, ROOM_VOLUME_ANNOTATION));
  const volumeName = valueOf(metadata.annotations, ROOM_VOLUME_NAME_ANNOTATION);
  const backup = namespacedName(valueOf(metadata.annotations, ROOM_BACKUP_ANNOTATION));
  if (holder === "" || volume === undefined || volumeName === undefined) {
    return undefined;
  }
  const askedAtMs = Date.parse(spec?.renewTime ?? "");
  return {
    volume,
    volumeName,
    holder,
    seenAtMs: at,
    askedAtMs: Number.isNaN(askedAtMs) ? at : askedAtMs,
    ...(backup !== undefined && { backup }),
  };
}

function namespacedName(text: string | undefined): { namespace: string; name: string } | undefined {
  const [, namespace, name] = /^([^/]+)\/([^/]+)$/.exec(text ?? "") ?? [];
  return namespace === undefined || name === undefined ? undefined : { namespace, name };
}
