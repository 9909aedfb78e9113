import { DATA_DOWNLOAD_LABEL, OUR_DATA_MOVER, RETAINED_LABEL } from "../../src/kube/keys.ts";
import { DataDownload } from "../../src/kube/objects.ts";
import type { RestoreFacts } from "../../src/restore/facts.ts";
import { restoreLabels, restoreName } from "../../src/restore/names.ts";
import { Claim, Content, Snapshot, StorageClass, Volume } from "../../src/restore/objects.ts";
import type { RestoreSource } from "../../src/restore/source.ts";

type Overrides = { readonly [key: string]: unknown };

/** Maps are merged, everything else is replaced; undefined removes. */
function mergeOver(base: Overrides, overrides: Overrides): Overrides {
  const merged: Record<string, unknown> = { ...base };
  for (const [key, value] of Object.entries(overrides)) {
    const before = base[key];
    merged[key] = isMap(before) && isMap(value) ? mergeOver(before, value) : value;
  }
  return merged;
}

function isMap(value: unknown): value is Overrides {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** When all restores of the tests are decided about. */
export const NOW = Date.parse("2026-11-25T12:00:00Z");
export const UID = "dd-uid";
export const MADE = restoreName(UID);
export const DRIVER = "disk.csi.example.com";

/** The time so many seconds ago. */
export function secondsAgo(seconds: number): string {
  return new Date(NOW - seconds * 1000).toISOString().replace(/\.\d+Z$/, "Z");
}

/** A DataDownload that is ours, created five seconds ago. */
export function aDownload(overrides: Overrides = {}): DataDownload {
  return DataDownload.parse(
    mergeOver(
      {
        metadata: {
          name: "r1-abc",
          namespace: "velero",
          uid: UID,
          resourceVersion: "1",
          creationTimestamp: secondsAgo(5),
          ownerReferences: [{ kind: "Restore", name: "r1", uid: "restore-uid" }],
        },
        spec: {
          datamover: OUR_DATA_MOVER,
          sourceNamespace: "app",
          targetVolume: { pvc: "data", namespace: "app" },
        },
      },
      overrides,
    ),
  );
}

export const SOURCE: RestoreSource = { name: "b1-xyz", driver: DRIVER, handle: "snap-1", local: true };

/** The target, as Velero creates it. */
export function aTarget(overrides: Overrides = {}): Claim {
  return Claim.parse(
    mergeOver(
      {
        metadata: { name: "data", namespace: "app", uid: "target-uid", resourceVersion: "2" },
        spec: {
          storageClassName: "disk",
          volumeMode: "Filesystem",
          accessModes: ["ReadWriteOnce"],
          resources: { requests: { storage: "1Gi" } },
          selector: { matchLabels: { "velero.io/dynamic-pv-restore": "app.data.x" } },
        },
        status: { phase: "Pending" },
      },
      overrides,
    ),
  );
}

export function aClass(overrides: Overrides = {}): StorageClass {
  return StorageClass.parse(
    mergeOver({ metadata: { name: "disk" }, provisioner: DRIVER, volumeBindingMode: "Immediate" }, overrides),
  );
}

/** The content of the retained snapshot. */
export function aRetained(overrides: Overrides = {}): Content {
  return Content.parse(
    mergeOver(
      {
        metadata: {
          name: SOURCE.name,
          uid: "vsc-uid",
          resourceVersion: "3",
          labels: { [RETAINED_LABEL]: "true" },
        },
        spec: {
          driver: DRIVER,
          deletionPolicy: "Retain",
          source: { snapshotHandle: SOURCE.handle },
          volumeSnapshotClassName: "disk-snapshots",
          sourceVolumeMode: "Filesystem",
          volumeSnapshotRef: { uid: "old-uid" },
        },
        status: { snapshotHandle: SOURCE.handle, readyToUse: true, restoreSize: 2 ** 30 },
      },
      overrides,
    ),
  );
}

/** The content that the restore made. */
export function aMadeContent(overrides: Overrides = {}): Content {
  return Content.parse(
    mergeOver(
      {
        metadata: { name: MADE, uid: "made-vsc", resourceVersion: "4", labels: restoreLabels(UID) },
        spec: {
          driver: DRIVER,
          deletionPolicy: "Retain",
          source: { snapshotHandle: SOURCE.handle },
          volumeSnapshotRef: { uid: "made-vs" },
        },
        status: { readyToUse: true, restoreSize: 2 ** 30 },
      },
      overrides,
    ),
  );
}

export function aMadeSnapshot(overrides: Overrides = {}): Snapshot {
  return Snapshot.parse(
    mergeOver(
      {
        metadata: {
          name: MADE,
          namespace: "velero",
          uid: "made-vs",
          resourceVersion: "5",
          labels: restoreLabels(UID),
        },
        status: { boundVolumeSnapshotContentName: MADE, readyToUse: true },
      },
      overrides,
    ),
  );
}

/** The claim that the restore made, bound. */
export function aMadeClaim(overrides: Overrides = {}): Claim {
  return Claim.parse(
    mergeOver(
      {
        metadata: {
          name: MADE,
          namespace: "velero",
          uid: "made-pvc",
          resourceVersion: "6",
          creationTimestamp: secondsAgo(2),
          labels: restoreLabels(UID),
        },
        spec: { storageClassName: "disk", volumeName: "pv-1" },
        status: { phase: "Bound" },
      },
      overrides,
    ),
  );
}

/** The volume of that claim. */
export function aVolume(overrides: Overrides = {}): Volume {
  return Volume.parse(
    mergeOver(
      {
        metadata: { name: "pv-1", uid: "pv-uid", resourceVersion: "7" },
        spec: {
          persistentVolumeReclaimPolicy: "Delete",
          claimRef: { namespace: "velero", name: MADE, uid: "made-pvc" },
        },
        status: { phase: "Bound" },
      },
      overrides,
    ),
  );
}

/** A volume that is kept for the restore. */
export function aHeldVolume(overrides: Overrides = {}): Volume {
  return aVolume(
    mergeOver(
      {
        metadata: {
          labels: { [DATA_DOWNLOAD_LABEL]: UID },
          annotations: { "snapshot-retainer.io/reclaim-policy": "Delete" },
        },
        spec: { persistentVolumeReclaimPolicy: "Retain" },
      },
      overrides,
    ),
  );
}

/** A restore that has just begun: the target is there, and nothing was made. */
export function someFacts(overrides: Partial<RestoreFacts> = {}): RestoreFacts {
  return {
    download: aDownload({ status: { phase: "InProgress", startTimestamp: secondsAgo(4) } }),
    source: SOURCE,
    target: aTarget(),
    storageClass: aClass(),
    retained: aRetained(),
    content: undefined,
    snapshot: undefined,
    claim: undefined,
    volume: undefined,
    ...overrides,
  };
}

/** A restore whose volume was made. */
export function withVolume(overrides: Partial<RestoreFacts> = {}): RestoreFacts {
  return someFacts({
    content: aMadeContent(),
    snapshot: aMadeSnapshot(),
    claim: aMadeClaim(),
    volume: aVolume(),
    ...overrides,
  });
}
