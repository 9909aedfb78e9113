import type { Signer } from "../admission/signer.ts";
import type { Term } from "../kube/lease-elector.ts";
import { isOvertaken } from "../kube/rest.ts";
import type { Rest } from "../kube/rest.ts";
import { createWorkQueue } from "../kube/work-queue.ts";
import type { WorkQueue, WorkQueueOptions } from "../kube/work-queue.ts";
import type { Outcome } from "../kube/work-queue-state.ts";
import type { RetentionPolicy } from "../policy/schema.ts";
import { decideRestore } from "../restore/decide.ts";
import { isOurs } from "../restore/hand-back.ts";
import { decideCleaning } from "../restore/leftovers.ts";
import { restoreName } from "../restore/names.ts";
import { attempt, ATTEMPT_MS } from "./attempt.ts";
import type { Caches } from "./caches.ts";
import { startPlanLoop } from "./plan-loop.ts";
import type { PlanLoop } from "./plan-loop.ts";
import { applyStep } from "./restore-apply.ts";
import type { StepOptions } from "./restore-apply.ts";
import { applyCleaning } from "./restore-clean.ts";
import type { RestoreObjects } from "./restore-objects.ts";
import { createReads, readLeftovers, readRestore } from "./restore-reads.ts";
import type { DownloadRef, LeftoverRef } from "./restore-reads.ts";
import type { RestoreReport } from "./restore-report.ts";
import { createWrites } from "./writes.ts";

/** What carrying out restores needs. */
export interface MoverOptions extends Pick<WorkQueueOptions<unknown>, "clock" | "random"> {
  readonly rest: Rest;
  readonly caches: Pick<Caches, "dataDownloads" | "contents" | "snapshots" | "claims">;
  readonly restoreObjects: RestoreObjects;
  readonly policy: () => RetentionPolicy | undefined;
  readonly restoreReport: RestoreReport;
  /** Knows what the webhook wrote. */
  readonly signer: Signer;
  /** Milliseconds since 1970. */
  readonly now: () => number;
  readonly onError: (error: unknown) => void;
  readonly stop: AbortSignal;
}

/** Carries out the DataDownloads that the webhook gave to us, and cleans up after them. */
export interface Mover {
  /** Something has changed. */
  readonly ring: PlanLoop["ring"];
  /** Settles when nothing runs any more. */
  drain(): Promise<void>;
}

/** Volumes that are restored at the same time: few requests each, most of the time is the storage's. */
const CONCURRENCY = 16;
/** While something is under way it is looked at this often, whatever the watches tell. */
const POLL_MS = 1_000;
/** Far more steps than a restore has: what goes round in circles is looked at again later. */
const MOST_STEPS = 24;

/** One thing to work on. */
type Item = { readonly key: string; readonly print: string } & (
  | { readonly kind: "restore"; readonly ref: DownloadRef }
  | { readonly kind: "leftovers"; readonly ref: LeftoverRef }
);

/** Begins with the term. Restores have a loop and a queue of their own: none of them waits for a plan or for pruning. */
export function startMover(term: Term, options: MoverOptions): Mover {
  const { now, stop } = options;
  const queue = createQueue(term, options);
  const loop = startPlanLoop({
    look() {
      const items = itemsOf(options);
      queue.replace(items);
      return items.length === 0 ? undefined : now() + POLL_MS;
    },
    now,
    signal: AbortSignal.any([term.signal, stop]),
  });
  return { ring: (urgent) => loop.ring(urgent), drain: async () => queue.drain(ATTEMPT_MS) };
}

function createQueue(term: Term, options: MoverOptions): WorkQueue<Item> {
  const { rest, onError, now } = options;
  return createWorkQueue<Item>({
    ...options,
    concurrency: CONCURRENCY,
    signal: term.signal,
    keyOf: ({ key }) => key,
    printOf: ({ print }) => print,
    work: async (item) =>
      attempt(term, { failed: onError, onError }, async (signal) => {
        const reads = createReads(rest, signal);
        const step = { reads, writes: createWrites(rest, signal), now };
        try {
          return item.kind === "restore"
            ? await restore(item.ref, term, { ...options, ...step })
            : await clean(item.ref, term, step);
        } catch (error) {
          if (isOvertaken(error)) return { kind: "again", afterMs: 0 };
          throw error;
        }
      }),
  });
}

function itemsOf({ caches, restoreObjects, policy }: MoverOptions): Item[] {
  const namespaces = policy()?.velero.namespaces ?? [];
  const active = [...caches.dataDownloads.values()].filter(
    (download) => isOurs(download) && namespaces.includes(download.metadata.namespace ?? ""),
  );
  const uids = new Set(active.map(({ metadata }) => metadata.uid));
  const restores = active.map(({ metadata, spec }): Item => {
    const { namespace = "", name = "", uid = "", resourceVersion = "" } = metadata;
    const made = restoreName(uid);
    const { namespace: targetNamespace, pvc } = spec.targetVolume;
    const related = [
      caches.contents.get("", made),
      caches.snapshots.get(namespace, made),
      caches.claims.get(namespace, made),
      caches.claims.get(targetNamespace, pvc),
    ];
    const versions = related.map((object) => object?.metadata.resourceVersion ?? "");
    const print = [resourceVersion, ...versions].join(" ");
    return { kind: "restore", key: `restore ${namespace}/${name}`, ref: { namespace, name }, print };
  });
  // A tenant may name and label its own claims like ours: only what was made in a namespace of Velero's, or in none, is ours.
  const leftovers = restoreObjects
    .all()
    .filter(({ uid, download }) => !uids.has(uid) && ["", ...namespaces].includes(download.namespace))
    .map((trace): Item => ({
      kind: "leftovers",
      key: `leftovers ${trace.uid}`,
      ref: trace,
      print: trace.print,
    }));
  return [...restores, ...leftovers];
}

/** Goes on until something has to be waited for. */
async function restore(ref: DownloadRef, term: Term, options: MoverOptions & StepOptions): Promise<Outcome> {
  const { reads, restoreReport, policy, signer, now } = options;
  for (let steps = 0; steps < MOST_STEPS; steps += 1) {
    const facts = await readRestore(ref, reads, signer);
    const current = policy();
    if (facts === undefined || current === undefined || !isOurs(facts.download)) return { kind: "done" };
    const step = decideRestore(facts, current, now());
    if (step.kind === "wait") {
      restoreReport.waiting(facts.download, step.what);
      return { kind: "again", afterMs: Math.min(POLL_MS, (step.until ?? Infinity) - now()) };
    }
    await term.confirm();
    const reason = await applyStep(step, facts.download, options);
    restoreReport.done(facts.download, step, reason);
    if (reason !== undefined) return { kind: "done" };
    if (step.kind === "inquire") break;
  }
  return { kind: "again", afterMs: POLL_MS };
}

async function clean(ref: LeftoverRef, term: Term, { reads, writes }: StepOptions): Promise<Outcome> {
  const left = await readLeftovers(ref, reads);
  const cleanings = left === undefined ? [] : decideCleaning(left);
  if (cleanings.length > 0) await term.confirm();
  for (const cleaning of cleanings) {
    try {
      await applyCleaning(cleaning, writes);
    } catch (error) {
      if (!isOvertaken(error)) throw error;
    }
  }
  return { kind: "again", afterMs: POLL_MS };
}
