import * as z from "zod";
import {
  VELERO_PVC_NAMESPACE_NAME_LABEL,
  VELERO_RESOURCE_USAGE_LABEL,
  VELERO_RESTORE_UID_LABEL,
} from "./keys.ts";
import { toLabelValue } from "./label-value.ts";
import type { StringMap } from "./objects.ts";

/** What a backup says of the data of one volume (velero DataUploadResult): the fields that we read. */
export const DataUploadResult = z.object({
  snapshotID: z.string(),
  sourceNamespace: z.string(),
  /** What the retention controller recorded of the snapshot (src/retention/record.ts), in whichever cluster. */
  dataMoverResult: z.record(z.string(), z.string()).nullish(),
});
export type DataUploadResult = z.infer<typeof DataUploadResult>;

const ConfigMap = z.object({ data: z.record(z.string(), z.string()).nullish() });

/**
 * The labels of the ConfigMap in which a restore finds the result (velero dataupload_retrieve_action.go). Velero removes
 * it as soon as it has made the DataDownload.
 */
export function resultLabels(restoreUid: string, claim: { namespace: string; name: string }): StringMap {
  return {
    [VELERO_RESTORE_UID_LABEL]: toLabelValue(restoreUid),
    [VELERO_PVC_NAMESPACE_NAME_LABEL]: toLabelValue(`${claim.namespace}.${claim.name}`),
    [VELERO_RESOURCE_USAGE_LABEL]: "DataUpload",
  };
}

/** The result that such a ConfigMap holds; undefined where it cannot be read. */
export function resultIn(configMap: unknown, restoreUid: string): DataUploadResult | undefined {
  const data = ConfigMap.safeParse(configMap).data?.data ?? {};
  try {
    return DataUploadResult.safeParse(JSON.parse(data[restoreUid] ?? "")).data;
  } catch {
    return undefined;
  }
}
