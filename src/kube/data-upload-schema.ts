import { setTimeout as sleep } from "node:timers/promises";
import * as z from "zod";
import type { Rest } from "./rest.ts";

/** A CRD changes when Velero is upgraded; ten minutes later we know. */
const REFRESH_MS = 10 * 60 * 1000;

const Schemas = z.object({
  components: z.object({
    schemas: z.record(
      z.string(),
      z.object({
        properties: z
          .object({ spec: z.object({ properties: z.record(z.string(), z.unknown()).optional() }).optional() })
          .optional(),
      }),
    ),
  }),
});

/** Whether the served DataUpload has `spec.retainSnapshot` (Velero's design, PR 7002; in no release so far). */
export interface DataUploadSchema {
  hasRetainSnapshot(): boolean;
}

/** Asks the API server's published schema now and then, until the signal aborts; false until it has answered. */
export function watchDataUploadSchema(
  rest: Rest,
  onError: (error: unknown) => void,
  signal: AbortSignal,
): DataUploadSchema {
  let has = false;
  async function refresh(): Promise<void> {
    while (!signal.aborted) {
      try {
        has = await readSchema(rest, signal);
      } catch (error) {
        onError(error);
      }
      await sleep(REFRESH_MS, undefined, { signal, ref: false });
    }
  }
  refresh().catch(() => undefined);
  return { hasRetainSnapshot: () => has };
}

async function readSchema(rest: Rest, signal: AbortSignal): Promise<boolean> {
  const document = await rest.get("/openapi/v3/apis/velero.io/v2alpha1", signal);
  const parsed = Schemas.safeParse(document);
  if (!parsed.success) {
    return false;
  }
  const upload = Object.entries(parsed.data.components.schemas).find(([name]) =>
    name.endsWith(".DataUpload"),
  );
  return upload?.[1].properties?.spec?.properties?.["retainSnapshot"] !== undefined;
}
