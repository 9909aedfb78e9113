import { REQUESTED_LIMIT_ANNOTATION, VELERO_SCHEDULE_NAME_LABEL } from "../kube/keys.ts";
import { valueOf } from "../kube/objects.ts";
import type { Backup, PersistentVolumeClaim } from "../kube/objects.ts";
import type { VolumeFacts } from "../policy/limit.ts";

/** Where the facts about a volume come from when its number is decided. */
export interface FactSources {
  /** Namespace of the PVC. */
  readonly namespace: string;
  readonly backup: Backup | undefined;
  readonly claim: PersistentVolumeClaim | undefined;
  readonly driver: string | undefined;
  /** As it was when the snapshot was taken, where that is known; else the PVC's. */
  readonly storageClass?: string | undefined;
}

/** What the policy's rules and ceilings are matched with. */
export function volumeFactsOf(sources: FactSources): VolumeFacts {
  const { namespace, backup, claim, driver, storageClass } = sources;
  const requested = valueOf(backup?.metadata.annotations, REQUESTED_LIMIT_ANNOTATION);
  return {
    driver,
    storageClass: storageClass ?? claim?.spec?.storageClassName ?? undefined,
    namespace,
    pvcLabels: claim?.metadata.labels ?? undefined,
    schedule: valueOf(backup?.metadata.labels, VELERO_SCHEDULE_NAME_LABEL),
    requested: requested === undefined ? undefined : Number(requested),
  };
}
