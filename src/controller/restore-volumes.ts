import { DATA_DOWNLOAD_ANNOTATION, DATA_DOWNLOAD_LABEL, RECLAIM_POLICY_ANNOTATION } from "../kube/keys.ts";
import type { DataDownload, Metadata } from "../kube/objects.ts";
import { referenceTo } from "../retention/objects.ts";
import { restoreAnnotations } from "../restore/names.ts";
import type { Step, Unhold } from "../restore/step.ts";
import { claimPath, volumePath } from "./writes.ts";
import type { Change, Writes } from "./writes.ts";

/** The steps by which a volume comes from one claim to another. */
export type VolumeStep = Extract<Step, { readonly kind: (typeof VOLUME_STEPS)[number] }>;

const VOLUME_STEPS = ["hold", "detach", "reserve", "unhold", "bind"] as const;

/** Whether a step is one of these. */
export function isVolumeStep(step: Step): step is VolumeStep {
  return VOLUME_STEPS.some((kind) => kind === step.kind);
}

/** Does one of these steps. */
export async function applyVolumeStep(
  step: VolumeStep,
  { metadata }: DataDownload,
  writes: Writes,
): Promise<void> {
  switch (step.kind) {
    case "hold":
      await patchVolume(step.volume, writes, {
        metadata: {
          labels: { [DATA_DOWNLOAD_LABEL]: metadata.uid },
          annotations: { ...restoreAnnotations(metadata), [RECLAIM_POLICY_ANNOTATION]: step.reclaimPolicy },
        },
        spec: { persistentVolumeReclaimPolicy: "Retain" },
      });
      return;
    case "detach":
      await writes.remove(pathOfClaim(step.claim), referenceTo(step.claim));
      return;
    case "reserve":
      await patchVolume(step.volume, writes, {
        metadata: { labels: step.labels, annotations: { "pv.kubernetes.io/bound-by-controller": null } },
        spec: { claimRef: claimRefTo(step.target) },
      });
      return;
    case "bind":
      await writes.patch(pathOfClaim(step.target), referenceTo(step.target), {
        spec: { volumeName: step.volume },
      });
      return;
    case "unhold":
      await unhold(step, writes);
  }
}

/** The path of a claim by its metadata. */
export function pathOfClaim({ namespace = "", name = "" }: Metadata): string {
  return claimPath({ namespace, name });
}

const UNMARKED = {
  labels: { [DATA_DOWNLOAD_LABEL]: null },
  annotations: { [DATA_DOWNLOAD_ANNOTATION]: null, [RECLAIM_POLICY_ANNOTATION]: null },
} as const;

/** Gives a volume a reclaim policy, and takes the restore's marks off it. */
export async function unhold({ volume, reclaimPolicy }: Unhold, writes: Writes): Promise<void> {
  await patchVolume(volume, writes, {
    metadata: UNMARKED,
    spec: { persistentVolumeReclaimPolicy: reclaimPolicy },
  });
}

/** Lets a volume go: reserved for a claim that never was, Kubernetes takes it for released, and it goes by its policy. */
export async function abandon(volume: Metadata, writes: Writes): Promise<void> {
  const { name = "", uid } = volume;
  await patchVolume(volume, writes, {
    metadata: UNMARKED,
    spec: {
      persistentVolumeReclaimPolicy: "Delete",
      claimRef: claimRefTo({ namespace: "default", name: `${name}-abandoned`, uid }),
    },
  });
}

async function patchVolume(volume: Metadata, writes: Writes, change: Change): Promise<void> {
  await writes.patch(volumePath(volume.name ?? ""), referenceTo(volume), change);
}

function claimRefTo({ namespace, name, uid }: Pick<Metadata, "namespace" | "name" | "uid">): object {
  return { apiVersion: "v1", kind: "PersistentVolumeClaim", namespace, name, uid, resourceVersion: null };
}
