import * as z from "zod";
import { LookupFailed } from "../admission/lookup.ts";
import type { ClaimName, Lookup, MovedData } from "../admission/lookup.ts";
import type { Cache } from "./cache.ts";
import { resultIn, resultLabels } from "./data-upload-result.ts";
import type { DataUpload, VolumeSnapshotContent } from "./objects.ts";
import type { Rest } from "./rest.ts";
import type { RetainedSnapshots } from "./retained-snapshots.ts";

/** The look-ups that a restore needs. */
export type RestoreLookup = Pick<Lookup, "retainedOf" | "dataUploadOf" | "dataUploadResults">;

/** What they are made of. */
export interface RestoreLookupParts {
  readonly rest: Rest;
  readonly contents: Pick<Cache<VolumeSnapshotContent>, "get">;
  readonly dataUploads: Pick<Cache<DataUpload>, "values">;
  readonly retained: RetainedSnapshots;
  /** Longest that the one call to the API server may take. */
  readonly lookupMs: number;
}

const List = z.object({ items: z.array(z.unknown()).nullish() });

/** Answers from caches, but for the results, which are there for a moment only and cost one call. */
export function createRestoreLookup(parts: RestoreLookupParts): RestoreLookup {
  const { rest, contents, dataUploads, retained, lookupMs } = parts;
  return {
    retainedOf: (claim) =>
      retained
        .namesOf(claim)
        .map((name) => contents.get("", name))
        .filter((content) => content !== undefined),
    // A scan, since only restores need it: an index would stay in memory for them.
    dataUploadOf: (namespace, data) =>
      [...dataUploads.values()].find((upload) => hasMoved(upload, namespace, data)),
    dataUploadResults: async (namespace, { restoreUid, claim }) => {
      const path = resultsPath(namespace, restoreUid, claim);
      try {
        const list = List.parse(await rest.call("GET", path, { signal: AbortSignal.timeout(lookupMs) }));
        return (list.items ?? [])
          .map((item) => resultIn(item, restoreUid))
          .filter((result) => result !== undefined);
      } catch (error) {
        throw new LookupFailed(error instanceof Error ? error.message : String(error), { cause: error });
      }
    },
  };
}

/** Whether a DataUpload moved this data. */
export function hasMoved(
  { metadata, spec, status }: DataUpload,
  namespace: string,
  data: MovedData,
): boolean {
  return (
    status?.snapshotID === data.snapshotID &&
    metadata.namespace === namespace &&
    spec.sourceNamespace === data.claim.namespace &&
    spec.sourcePVC === data.claim.name
  );
}

function resultsPath(namespace: string, restoreUid: string, claim: ClaimName): string {
  const labelSelector = Object.entries(resultLabels(restoreUid, claim))
    .map(([key, value]) => `${key}=${value}`)
    .join(",");
  const query = new URLSearchParams({ labelSelector }).toString();
  return `/api/v1/namespaces/${encodeURIComponent(namespace)}/configmaps?${query}`;
}
