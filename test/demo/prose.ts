import type { Cluster } from "../cluster/cluster.ts";
import type { GoMissing } from "../cluster/go.ts";

/** What the product is for, for somebody who hears of it for the first time. */
export const INTRODUCTION =
  "Velero backs up Kubernetes volumes: its data mover takes a snapshot on the storage, copies it to object storage, and " +
  "then deletes the snapshot. Restoring the copy takes hours, restoring the snapshot would have taken seconds. Snapshot " +
  "Retainer lets an admin say by a policy how many of the newest snapshots of each volume shall stay, on an unmodified " +
  "Velero. This demo shows its webhook, which marks every object of a backup so that nobody has to guess later which " +
  "snapshot is whose, and how many to keep.";

/** How the demo ended. */
interface End {
  readonly steps: number;
  readonly seconds: number;
  /** The cluster stays up, and how to use it comes next. */
  readonly keep: boolean;
}

/** What was seen, and what this version does not do. */
export function describeEnd({ steps, seconds, keep }: End): string {
  return `

Seen in ${steps} steps and ${Math.round(seconds)} seconds, on a real Kubernetes control plane:

  - the policy's number is on every Backup, whatever its user writes
  - every snapshot says which volume and backup it is of, and so do its clones after the originals are gone
  - the DataUpload holds how many snapshots of the volume to keep, and why
  - nobody can forge those marks
  - the policy changes while everything runs, and a wrong one is refused

This version makes these marks and guards them. What they are for comes in the next ones: keeping the newest \
snapshots, deleting the oldest, restoring from a kept one. Until then Velero deletes a snapshot when its data is copied.${keep ? "" : "\n\nNext: README.md, make demo KEEP=1 to try for yourself on this cluster, make test."}`;
}

/** What is missing, and what can be done without it. */
export function describeWithoutGo(error: GoMissing): string {
  return `
That was the offline tour. The rest of the demo runs on a real control plane.
${error.message}
Then run make demo again; it needs nothing else.`;
}

/** How to use the cluster that was left up. */
export function describeUse(cluster: Cluster, files: string): string {
  return `
The cluster stays up until Ctrl-C in this terminal. In another one:

  export KUBECONFIG=${cluster.kubeconfig}
  alias kubectl=${cluster.binaries.kubectl}
  alias helm=${cluster.binaries.helm}
  kubectl get volumesnapshotcontents --show-labels
  kubectl --namespace snapshot-retainer edit configmap snapshot-retainer-policy
  curl ${cluster.array.url}/state                    what the storage array holds

The manifests of the demo: ${files}
The logs: ${cluster.directory}/logs
`;
}
