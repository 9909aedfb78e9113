import type { Cluster } from "../cluster/cluster.ts";
import type { GoMissing } from "../cluster/go.ts";

/** What the product is for, for somebody who hears of it for the first time. */
export const INTRODUCTION =
  "Velero backs up Kubernetes volumes: its data mover takes a snapshot on the storage, copies it to object storage, and " +
  "then deletes the snapshot. Restoring the copy takes hours, restoring the snapshot would have taken seconds. Snapshot " +
  "Retainer lets an admin say by a policy how many of the newest snapshots of each volume shall stay, on an unmodified " +
  "Velero. This demo makes real backups with it, and looks after each what the storage still holds, and restores one at the end.";

/** How the demo ended. */
interface End {
  readonly steps: number;
  readonly seconds: number;
  /** The cluster stays up, and how to use it comes next. */
  readonly keep: boolean;
}

/** What was seen. */
export function describeEnd({ steps, seconds, keep }: End): string {
  return `

Seen in ${steps} steps and ${Math.round(seconds)} seconds, with the real Velero on a real Kubernetes control plane:

  - after each backup the array holds the newest 2 snapshots of the volume, and never a third
  - the oldest goes before the new one is taken, so that an array at its limit refuses nothing
  - a deleted backup takes its snapshot along; a failed upload leaves none behind
  - the number is the policy's, whatever a user writes, and a wrong policy is refused
  - nobody can forge the marks by which all this is decided
  - velero restore create makes a lost volume of its snapshot, and moves data where there is none${keep ? "" : "\n\nNext: README.md, make demo KEEP=1 to try for yourself on this cluster, make test."}`;
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
  alias velero=${cluster.binaries.velero?.velero ?? "velero"}
  velero backup create mine --include-namespaces prod-shop --snapshot-move-data
  velero restore create mine --from-backup mine --namespace-mappings prod-shop:my-shop
  kubectl get volumesnapshotcontents --show-labels
  kubectl --namespace snapshot-retainer edit configmap snapshot-retainer-policy
  curl ${cluster.array.url}/state                    what the storage array holds

The manifests of the demo: ${files}
The logs: ${cluster.directory}/logs
`;
}
