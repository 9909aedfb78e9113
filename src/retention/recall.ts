import { createTextSharing } from "../kube/recent.ts";
import type { RetentionPolicy } from "../policy/schema.ts";
import { isReady } from "./age.ts";
import type { Entry } from "./entry.ts";
import { isBeingDeleted } from "./hold.ts";
import type {
  Backup,
  DataUpload,
  PersistentVolume,
  PersistentVolumeClaim,
  VolumeSnapshotContent,
} from "./objects.ts";
import type { Surroundings } from "./protections.ts";
import type { SettledVolume } from "./settled.ts";

/**
 * What one plan leaves for the next, so that only what changed is judged again: of a world of 10,000 retained snapshots, most
 * are as they were. Never says anything else than a judgement from nothing would: what depends on time, or on more than is
 * compared here, is not kept.
 */
export interface Recall {
  /** The snapshot of a content, where nothing that it was judged by has changed. */
  entryOf(content: VolumeSnapshotContent, setting: RecallSetting): Entry | undefined;
  /** Keeps those that are steady, for as long as their contents exist. */
  keepEntries(entries: readonly Entry[], setting: RecallSetting): void;
  /** What was said of a volume, where its snapshots are the very same. */
  volumeOf(volumeKey: string, entries: readonly Entry[]): SettledVolume | undefined;
  /** Keeps these volumes, and forgets all others. */
  keepVolumes(volumes: readonly SettledVolume[]): void;
  /** Whether an entry is kept: judged by nothing but what is compared. */
  isSteady(entry: Entry): boolean;
  /** The same text, as one string where it was met lately: all snapshots of a volume name it. */
  share(text: string): string;
}

/** Texts remembered at once: twice those of the largest cluster's volumes. */
const MOST_TEXTS = 400_000;

/** What an entry is judged by, beside its own objects. */
export interface RecallSetting extends Surroundings {
  readonly policy: RetentionPolicy;
}

/** The objects that an entry is judged by, beside its content. */
interface Objects {
  readonly upload: DataUpload | undefined;
  readonly backup: Backup | undefined;
  readonly claim: PersistentVolumeClaim | undefined;
  readonly volume: PersistentVolume | undefined;
}

/** The upload is that of the entry itself. */
interface Remembered extends Omit<Objects, "upload"> {
  readonly entry: Entry;
}

/** Nothing to recall yet. */
export function createRecall(): Recall {
  let remembered = new WeakMap<VolumeSnapshotContent, Remembered>();
  let policy: RetentionPolicy | undefined;
  let settled: ReadonlyMap<string, SettledVolume> = new Map();
  function forgetOthers(setting: RecallSetting): void {
    if (policy === setting.policy) return;
    remembered = new WeakMap();
    ({ policy } = setting);
  }
  return {
    entryOf(content, setting) {
      forgetOthers(setting);
      const known = remembered.get(content);
      return known !== undefined && holds(known, content, setting) ? known.entry : undefined;
    },
    keepEntries(entries, setting) {
      forgetOthers(setting);
      for (const entry of entries) {
        const { content } = entry.snapshot;
        if (content === undefined || !isQuiet(entry, content)) continue;
        const { upload, ...found } = lookUp(entry, content, setting);
        if (standsOn({ upload, ...found }, entry) && isAlone(entry, setting)) {
          remembered.set(content, { entry, ...found });
        }
      }
    },
    volumeOf(volumeKey, entries) {
      const known = settled.get(volumeKey);
      return known !== undefined && areSame(known.entries, entries) ? known : undefined;
    },
    keepVolumes(volumes) {
      settled = new Map(volumes.map((volume) => [volume.plan.volumeKey, volume]));
    },
    isSteady(entry) {
      const { content } = entry.snapshot;
      return content !== undefined && remembered.get(content)?.entry === entry;
    },
    share: createTextSharing(MOST_TEXTS),
  };
}

/** Whether the entry was made from these objects, so that nothing of it depends on what is not there. */
function standsOn({ upload, backup }: Objects, { snapshot }: Entry): boolean {
  return upload !== undefined && upload === snapshot.identity.upload && backup !== undefined;
}

/** Retained, labelled so, ready, not being deleted, protected by nothing: the state that a snapshot is in for months. */
function isQuiet(entry: Entry, content: VolumeSnapshotContent): boolean {
  const { snapshot, course, limits, protection } = entry;
  return (
    course.kind === "retained" &&
    !course.mark &&
    protection === undefined &&
    !limits.number.uncertain &&
    isReady(entry) &&
    !isBeingDeleted(content) &&
    snapshot.original === undefined &&
    snapshot.originalSnapshot === undefined &&
    snapshot.vanished === undefined
  );
}

function holds(known: Remembered, content: VolumeSnapshotContent, setting: RecallSetting): boolean {
  const found = lookUp(known.entry, content, setting);
  return (
    found.upload === known.entry.snapshot.identity.upload &&
    found.backup === known.backup &&
    found.claim === known.claim &&
    found.volume === known.volume &&
    isAlone(known.entry, setting)
  );
}

function lookUp({ snapshot }: Entry, content: VolumeSnapshotContent, { relations }: RecallSetting): Objects {
  const { volume, backup } = snapshot.identity;
  const claim = relations.claim(volume.namespace ?? "", volume.name);
  return {
    upload: relations.upload(content.spec.volumeSnapshotRef.namespace ?? "", content.metadata.name ?? ""),
    backup: backup && relations.backup(backup),
    claim,
    volume: relations.volume(claim?.spec?.volumeName ?? ""),
  };
}

/** Whether nothing else has to do with it: no other content, no claim, no restore, no deletion of its Backup. */
function isAlone({ snapshot }: Entry, { relations, sources, restored }: RecallSetting): boolean {
  const { key, driver = "", handle = "", identity } = snapshot;
  return (
    relations.contentsOf(driver, handle).length === 1 &&
    !sources.has(key) &&
    !restored.has(key) &&
    identity.backup !== undefined &&
    !relations.isBeingDeleted(identity.backup)
  );
}

function areSame(a: readonly Entry[], b: readonly Entry[]): boolean {
  return a.length === b.length && a.every((entry, index) => entry === b[index]);
}
