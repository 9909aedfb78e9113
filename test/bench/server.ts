import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { createWriteStream } from "node:fs";
import { createServer } from "node:https";
import type { RequestListener } from "node:http";
import { pino } from "pino";
import { createSigner } from "../../src/admission/signer.ts";
import { createMetrics } from "../../src/metrics.ts";
import { parsePolicy } from "../../src/policy/parse.ts";
import { createApp } from "../../src/server/app.ts";
import { portOf } from "../../src/server/listen.ts";
import { createReport } from "../../src/server/report.ts";
import { aHeld, someKeys } from "../certs/pair.ts";
import { KEY } from "./bodies.ts";

/**
 * One server in a process of its own: `node test/bench/server.ts bare|ours`. It tells its port over IPC, and answers
 * each message with what it has used since it started: CPU seconds, memory, and the longest stall of its event loop.
 */
const listener = process.argv[2] === "bare" ? bare() : ours();
const { cert, key } = aHeld(await someKeys(), { names: ["127.0.0.1"], now: new Date() });
const server = createServer({ cert, key, keepAliveTimeout: 120_000 }, listener);
server.listen(0, "127.0.0.1");
await once(server, "listening");
process.on("message", () => {
  const { user, system } = process.cpuUsage();
  process.send?.({ cpuSeconds: (user + system) / 1e6, rssMiB: process.memoryUsage.rss() / 2 ** 20 });
});
process.send?.({ port: portOf(server) });

/** The least that any Node webhook does: read, parse, one label patch, answer. */
function bare(): RequestListener {
  return (request, response) => {
    const chunks: Buffer[] = [];
    request.on("data", (chunk: Buffer) => chunks.push(chunk));
    request.on("end", () => {
      // oxlint-disable-next-line typescript/no-unsafe-assignment -- a bare handler trusts what it gets
      const review = JSON.parse(Buffer.concat(chunks).toString("utf8"));
      const labels = { "velero.io/snapshot-alias-name": "a", "velero.io/snapshot-volume-name": "b" };
      const patch = Buffer.from(
        JSON.stringify([{ op: "add", path: "/metadata/labels", value: labels }]),
      ).toString("base64");
      const body = JSON.stringify({
        apiVersion: "admission.k8s.io/v1",
        kind: "AdmissionReview",
        // oxlint-disable-next-line typescript/no-unsafe-assignment, typescript/no-unsafe-member-access -- see above
        response: { uid: review.request.uid, allowed: true, patchType: "JSONPatch", patch },
      });
      response.writeHead(200, {
        "content-type": "application/json",
        "content-length": Buffer.byteLength(body),
      });
      response.end(body);
    });
  };
}

/** The product's own application with everything on: policy, metrics, audit annotations, a log line a request. */
function ours(): RequestListener {
  const parsed = parsePolicy(
    "apiVersion: snapshot-retainer.io/v1alpha1\nkind: RetentionPolicy\nsnapshotsToRetain: 3\n",
  );
  if (parsed.kind !== "policy") {
    throw new Error("the benchmark's policy is not valid");
  }
  const log = pino({ level: "info", base: null }, createWriteStream("/dev/null"));
  const metrics = createMetrics();
  const signer = createSigner(KEY);
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
      ownAccounts: [],
      // The annotation is the source that Velero's clones arrive with; nothing else is known here.
      lookup: {
        volumeSnapshot: nothing,
        volumeSnapshotContent: nothing,
        dataUpload: nothing,
        backupByLabel: nothing,
        persistentVolumeClaim: nothing,
        persistentVolume: nothing,
        originalByHandle: () => undefined,
      },
    }),
    policyKey: "policy.yaml",
    onAnswered: createReport({ metrics, log, events: { record: () => undefined } }),
    clock: () => performance.now() / 1000,
    onError: (error) => log.error({ error }, "failed"),
  });
}
