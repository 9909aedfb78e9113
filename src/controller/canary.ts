import { setTimeout as sleep } from "node:timers/promises";
import * as z from "zod";
import { LIMIT_ANNOTATION } from "../kube/keys.ts";
import type { Rest } from "../kube/rest.ts";
import { messageOf } from "../log.ts";
import type { RetentionPolicy } from "../policy/schema.ts";

/** What came of one probe: the webhook's mutation was there, it was not, or the API server refused or did not answer. */
export type CanaryResult =
  | { readonly kind: "mutated" | "unmutated"; readonly namespace: string }
  | { readonly kind: "failed"; readonly namespace: string; readonly reason: string };

/** What probing works with. */
export interface CanaryOptions {
  readonly rest: Pick<Rest, "call">;
  readonly everyMs: number;
  readonly policy: () => RetentionPolicy | undefined;
  readonly onResult: (result: CanaryResult) => void;
  readonly signal: AbortSignal;
}

/** Longer than the API server waits for any webhook. */
const PROBE_MS = 35_000;

/**
 * Sends a Backup through the API server every so often, as a user would, and tells whether it came back with what the webhook
 * adds. It is a dry run: nothing is stored, and Velero never hears of it. With `failurePolicy: Ignore` nothing else shows that
 * the API server passes the webhook by. Ends with the signal, and never rejects.
 */
export async function runCanary(options: CanaryOptions): Promise<void> {
  const { everyMs, policy, onResult, signal } = options;
  while (!signal.aborted) {
    // First of all, too: a controller that has just been installed may be up before the webhook is.
    await sleep(everyMs, undefined, { signal }).catch(() => undefined);
    for (const namespace of isOver(signal) ? [] : namespacesToProbe(policy())) {
      const result = await probe(namespace, options);
      if (!isOver(signal)) onResult(result);
    }
  }
}

/** Gives where a Backup has to come back changed: in every namespace of Velero's, but for mode audit, in which nothing is. */
export function namespacesToProbe(policy: RetentionPolicy | undefined): readonly string[] {
  return policy === undefined || policy.mode === "audit" ? [] : policy.velero.namespaces;
}

const Answer = z.object({
  metadata: z.object({ annotations: z.record(z.string(), z.string()).default({}) }),
});

/** One such Backup, in this namespace. */
export async function probe(
  namespace: string,
  { rest, signal }: Pick<CanaryOptions, "rest" | "signal">,
): Promise<CanaryResult> {
  const path = `/apis/velero.io/v1/namespaces/${encodeURIComponent(namespace)}/backups?dryRun=All`;
  const body = {
    apiVersion: "velero.io/v1",
    kind: "Backup",
    metadata: { generateName: "snapshot-retainer-canary-", namespace },
    spec: { snapshotMoveData: true, includedNamespaces: ["snapshot-retainer-canary"] },
  };
  try {
    const timeout = AbortSignal.any([signal, AbortSignal.timeout(PROBE_MS)]);
    const { metadata } = Answer.parse(await rest.call("POST", path, { body, signal: timeout }));
    return { kind: LIMIT_ANNOTATION in metadata.annotations ? "mutated" : "unmutated", namespace };
  } catch (error) {
    return { kind: "failed", namespace, reason: messageOf(error) };
  }
}

function isOver(signal: AbortSignal): boolean {
  return signal.aborted;
}
