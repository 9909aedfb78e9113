import * as z from "zod";
import { Metadata } from "../kube/objects.ts";

// What a restore reads of objects, at each of its steps. Kubernetes' names.

const LastError = z.object({ message: z.string().nullish() }).nullish();

/** snapshot.storage.k8s.io/v1 VolumeSnapshotContent. */
export const Content = z.object({
  metadata: Metadata,
  spec: z.object({
    driver: z.string(),
    deletionPolicy: z.string(),
    source: z.object({ snapshotHandle: z.string().optional() }),
    sourceVolumeMode: z.string().nullish(),
    volumeSnapshotClassName: z.string().nullish(),
    volumeSnapshotRef: z.object({ uid: z.string().nullish() }),
  }),
  status: z
    .object({
      snapshotHandle: z.string().nullish(),
      readyToUse: z.boolean().nullish(),
      /** In bytes. */
      restoreSize: z.number().nullish(),
      error: LastError,
    })
    .nullish(),
});
export type Content = z.infer<typeof Content>;

/** snapshot.storage.k8s.io/v1 VolumeSnapshot. */
export const Snapshot = z.object({
  metadata: Metadata,
  status: z
    .object({
      boundVolumeSnapshotContentName: z.string().nullish(),
      readyToUse: z.boolean().nullish(),
      error: LastError,
    })
    .nullish(),
});
export type Snapshot = z.infer<typeof Snapshot>;

/** v1 PersistentVolumeClaim. */
export const Claim = z.object({
  metadata: Metadata,
  spec: z.object({
    storageClassName: z.string().nullish(),
    volumeName: z.string().nullish(),
    volumeMode: z.string().nullish(),
    accessModes: z.array(z.string()).nullish(),
    resources: z.object({ requests: z.object({ storage: z.string() }).nullish() }).nullish(),
    selector: z.object({ matchLabels: z.record(z.string(), z.string()).nullish() }).nullish(),
  }),
  status: z.object({ phase: z.string().nullish() }).nullish(),
});
export type Claim = z.infer<typeof Claim>;

/** v1 PersistentVolume. */
export const Volume = z.object({
  metadata: Metadata,
  spec: z.object({
    persistentVolumeReclaimPolicy: z.string(),
    claimRef: z
      .object({ namespace: z.string().optional(), name: z.string().optional(), uid: z.string().optional() })
      .nullish(),
  }),
  status: z.object({ phase: z.string().nullish() }).nullish(),
});
export type Volume = z.infer<typeof Volume>;

/** storage.k8s.io/v1 StorageClass. */
export const StorageClass = z.object({
  metadata: Metadata,
  provisioner: z.string(),
  volumeBindingMode: z.string().nullish(),
});
export type StorageClass = z.infer<typeof StorageClass>;

/** v1 Event, as the provisioner writes them about a claim. */
export const ClaimEvent = z.object({
  reason: z.string().nullish(),
  message: z.string().nullish(),
  count: z.number().nullish(),
  series: z.object({ count: z.number().nullish() }).nullish(),
});
export type ClaimEvent = z.infer<typeof ClaimEvent>;
