import { randomUUID } from "node:crypto";
import type { RequestListener } from "node:http";
import { createSigner } from "../../src/admission/signer.ts";
import { createLog } from "../../src/log.ts";
import { createMetrics } from "../../src/metrics.ts";
import { parsePolicy } from "../../src/policy/parse.ts";
import { createProgram } from "../../src/program.ts";
import { createApp } from "../../src/server/app.ts";
import { createReport } from "../../src/server/report.ts";
import { KEY } from "./bodies.ts";

// Nothing of it is run here, but a webhook loads all of it: its memory belongs to the measurement.
createProgram();

/** The product's own application with everything on: policy, metrics, audit annotations, a log line a request. */
export function createOurs(): RequestListener {
  const parsed = parsePolicy(
    "apiVersion: snapshot-retainer.io/v1alpha1\nkind: RetentionPolicy\nsnapshotsToRetain: 3\n",
  );
  if (parsed.kind !== "policy") {
    throw new Error("the benchmark's policy is not valid");
  }
  const log = createLog("info");
  const metrics = createMetrics();
  const signer = createSigner(KEY);
  const report = createReport({ metrics, log, events: { record: () => undefined } });
  async function nothing(): Promise<undefined> {
    return undefined;
  }
  return createApp({
    context: () => ({
      policy: parsed.policy,
      policyLocation: "bench",
      signer,
      randomId: randomUUID,
      hasRetainSnapshotField: false,
      controllerAlive: true,
      ownAccounts: [],
      // The annotation is the source that Velero's clones arrive with; nothing else is known here.
      lookup: {
        volumeSnapshot: nothing,
        volumeSnapshotContent: nothing,
        dataUpload: nothing,
        backupByLabel: nothing,
        persistentVolumeClaim: nothing,
        persistentVolume: nothing,
        claimWithVolume: async () => ({}),
        dataUploadByAlias: () => undefined,
        originalByHandle: () => undefined,
        snapshotsOf: () => 0,
      },
    }),
    policyKey: "policy.yaml",
    deadlineMs: 3_300,
    onAnswered: (answered) => report.answered(answered),
    clock: () => performance.now() / 1000,
    onError: (error) => log.error({ error }, "failed"),
  });
}
