import { randomBytes } from "node:crypto";
import { setTimeout as delay } from "node:timers/promises";
import * as z from "zod";

import type { ApiClient } from "./api-client.ts";
import { containerStatuses, report, retrying, type Pod } from "./pods.ts";

/**
 * How a data mover's Pod ends: with the data copied, with an error, cancelled, or not at all: its image cannot be pulled, or
 * it goes on until somebody cancels it or another behaviour is set.
 */
export type MoverBehaviour = "ok" | "fail" | "cancel" | "hang" | "image-pull-failure";

/** One movement of data, as its DataUpload or DataDownload says. */
export interface Movement {
  readonly kind: "DataUpload" | "DataDownload";
  readonly name: string;
  readonly namespace: string;
  /** The Backup's name; empty for a DataDownload. */
  readonly backup: string;
  /** The claim whose data is moved, as namespace/name. */
  readonly claim: string;
}

/** Decides what a data mover is to do; asked again and again while it hangs. */
export type ChooseBehaviour = (movement: Movement) => MoverBehaviour;

interface Mover {
  readonly client: ApiClient;
  readonly pod: Pod;
  readonly choose: ChooseBehaviour;
  readonly signal: AbortSignal;
  /** Reports the Pod as running. */
  readonly start: () => Promise<void>;
}

/**
 * Reports what Velero's data mover Pod would: Events on its DataUpload or DataDownload, and at the end the result in the
 * container's termination message (velero pkg/datapath/micro_service_watcher.go reads both). No byte is moved.
 */
export async function moveData(mover: Mover): Promise<void> {
  const first = await look(mover);
  if (first === undefined) return;
  if (mover.choose(first.movement) === "image-pull-failure") {
    await report(mover.client, mover.pod, withoutImage(mover.pod));
    return;
  }
  await mover.start();
  await untilInProgress(mover);
  const movement = first.movement;
  await tell(mover, first, "Started", `Data path for ${movement.name} started`);
  await tell(mover, first, "Progress", JSON.stringify({ totalBytes: BYTES, doneBytes: BYTES / 2 }));
  const end = await untilEnd(mover);
  if (end === undefined) return;
  const { reason, message, exitCode } = ending(end, first);
  await tell(mover, first, reason, message);
  await tell(mover, first, "Stopped", `Data path for ${movement.name} stopped`);
  await report(mover.client, mover.pod, terminated(mover.pod, exitCode, message));
}

const Subject = z.object({
  apiVersion: z.string(),
  kind: z.enum(["DataUpload", "DataDownload"]),
  metadata: z.object({
    name: z.string(),
    namespace: z.string(),
    uid: z.string(),
    labels: z.record(z.string(), z.string()).default({}),
  }),
  spec: z.object({
    cancel: z.boolean().default(false),
    sourceNamespace: z.string().default(""),
    sourcePVC: z.string().default(""),
  }),
  status: z.object({ phase: z.string().default("") }).default({ phase: "" }),
});

interface Seen {
  readonly subject: z.infer<typeof Subject>;
  readonly movement: Movement;
}

async function look({ client, pod }: Mover): Promise<Seen | undefined> {
  const { labels, namespace } = pod.metadata;
  const upload = labels["velero.io/data-upload"];
  const download = labels["velero.io/data-download"];
  const resource = upload === undefined ? `datadownloads/${download}` : `datauploads/${upload}`;
  const { status, body } = await retrying(async () =>
    client.get(`/apis/velero.io/v2alpha1/namespaces/${namespace}/${resource}`),
  );
  if (status !== 200) return undefined;
  const subject = Subject.parse(JSON.parse(body));
  const { name } = subject.metadata;
  const backup = subject.metadata.labels["velero.io/backup-name"] ?? "";
  const claim = `${subject.spec.sourceNamespace}/${subject.spec.sourcePVC}`;
  return { subject, movement: { kind: subject.kind, name, namespace, backup, claim } };
}

async function untilInProgress(mover: Mover): Promise<void> {
  for (;;) {
    const seen = await look(mover);
    if (seen === undefined || seen.subject.status.phase === "InProgress" || isFinal(seen)) return;
    await delay(POLL_MS, undefined, { ref: false, signal: mover.signal });
  }
}

/** How it is to end; undefined where what it works for is gone. */
async function untilEnd(mover: Mover): Promise<End | undefined> {
  for (;;) {
    const seen = await look(mover);
    if (seen === undefined || isFinal(seen)) return undefined;
    if (seen.subject.spec.cancel) return "cancel";
    const behaviour = mover.choose(seen.movement);
    if (behaviour !== "hang") return behaviour === "image-pull-failure" ? "fail" : behaviour;
    await delay(POLL_MS, undefined, { ref: false, signal: mover.signal });
  }
}

function isFinal({ subject: { status } }: Seen): boolean {
  return ["Completed", "Failed", "Canceled"].includes(status.phase);
}

const POLL_MS = 200;
const BYTES = 1_048_576;

type End = "ok" | "fail" | "cancel";

interface Ending {
  readonly reason: "Completed" | "Failed" | "Canceled";
  readonly message: string;
  readonly exitCode: number;
}

function ending(end: End, { movement: { name, kind } }: Seen): Ending {
  if (end === "fail") {
    return {
      reason: "Failed",
      message: `data path for ${name} failed: the stand-in was told to`,
      exitCode: 1,
    };
  }
  // This very text is how the node-agent tells a cancelled one from a failed one.
  if (end === "cancel") return { reason: "Canceled", message: "data path is canceled", exitCode: 1 };
  const result =
    kind === "DataUpload"
      ? { snapshotID: randomBytes(16).toString("hex"), emptySnapshot: false, source: { byPath: `/${name}` } }
      : { target: { byPath: `/${name}` } };
  return { reason: "Completed", message: JSON.stringify({ ...result, totalBytes: BYTES }), exitCode: 0 };
}

async function tell(mover: Mover, { subject }: Seen, reason: string, message: string): Promise<void> {
  const { apiVersion, kind, metadata } = subject;
  const { name, namespace, uid } = metadata;
  const now = new Date().toISOString();
  await retrying(async () =>
    mover.client.post(`/api/v1/namespaces/${namespace}/events`, {
      metadata: { generateName: `${name}.`, namespace },
      involvedObject: { apiVersion, kind, name, namespace, uid },
      reason: `Data-Path-${reason}`,
      message,
      type: "Normal",
      source: { component: "data-mover-backup" },
      firstTimestamp: now,
      lastTimestamp: now,
      count: 1,
    }),
  );
}

function terminated(pod: Pod, exitCode: number, message: string): object {
  const finishedAt = new Date().toISOString();
  const state = { running: null, terminated: { exitCode, message, reason: "Completed", finishedAt } };
  return {
    phase: exitCode === 0 ? "Succeeded" : "Failed",
    containerStatuses: containerStatuses(pod, { isReady: false, state }),
  };
}

function withoutImage(pod: Pod): object {
  const waiting = { reason: "ErrImageNeverPull", message: "the image is not present" };
  return { containerStatuses: containerStatuses(pod, { isReady: false, state: { waiting } }) };
}
