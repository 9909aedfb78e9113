import { randomUUID } from "node:crypto";
import type { RequestListener } from "node:http";
import { createSigner } from "../../src/admission/signer.ts";
import { createLog } from "../../src/log.ts";
import { createMetrics } from "../../src/metrics.ts";
import { parsePolicy } from "../../src/policy/parse.ts";
import { createProgram } from "../../src/program.ts";
import { createApp } from "../../src/server/app.ts";
import { createReport } from "../../src/server/report.ts";
import { KEY } from "./key.ts";

// Nothing of it is run here, but a webhook loads all of it: its memory belongs to the measurement.
await createProgram("webhook");

/** It acts in Velero's usual namespace, and in the one in which the API server is asked (api-server.ts). */
const POLICY = `
apiVersion: snapshot-retainer.io/v1alpha1
kind: RetentionPolicy
snapshotsToRetain: 3
velero:
  namespaces: [velero, bench-ours]
`;

/** What may be taken out of the product, to see what it costs. */
export interface Parts {
  /** Rules, and the patch that comes of them; without, every request gets the answer that there is no policy yet. */
  readonly decided: boolean;
  /** Metrics and a log line a request. */
  readonly reported: boolean;
}

/** The product's own application; with all parts, as the image runs it: policy, audit annotations, metrics, a log line. */
export function createOurs({ decided, reported }: Parts): RequestListener {
  const parsed = parsePolicy(POLICY);
  if (parsed.kind !== "policy") {
    throw new Error("the benchmark's policy is not valid");
  }
  const log = createLog("info");
  const metrics = createMetrics();
  const signer = createSigner(KEY);
  const report = createReport({ metrics, log, events: { record: () => undefined } });
  function nothing(): undefined {
    return undefined;
  }
  return createApp({
    context: () => ({
      policy: decided ? parsed.policy : undefined,
      policyLocation: "bench",
      signer,
      randomId: randomUUID,
      hasRetainSnapshotField: false,
      controllerAlive: true,
      ownAccounts: [],
      // The annotation is the source that Velero's clones arrive with; nothing else is known here. Answered at once, as caches do.
      lookup: {
        volumeSnapshot: nothing,
        volumeSnapshotContent: nothing,
        dataUpload: nothing,
        backupByLabel: nothing,
        persistentVolumeClaim: async () => undefined,
        persistentVolume: async () => undefined,
        claimWithVolume: async () => ({}),
        dataUploadByAlias: () => undefined,
        originalByHandle: () => undefined,
        snapshotsOf: () => 0,
        retainedOf: () => [],
        dataUploadOf: () => undefined,
        dataUploadResults: async () => [],
      },
    }),
    policyKey: "policy.yaml",
    deadlineMs: 3_300,
    onAnswered: reported ? (answered) => report.answered(answered) : () => undefined,
    clock: () => performance.now() / 1000,
    onError: (error) => log.error({ error }, "failed"),
  });
}
