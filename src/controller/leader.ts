import type { Term } from "../kube/lease-elector.ts";
import { createWorkQueue } from "../kube/work-queue.ts";
import type { WorkQueue } from "../kube/work-queue.ts";
import { decide } from "../retention/decide.ts";
import { nextMemory } from "../retention/memory.ts";
import type { Outcome } from "../kube/work-queue-state.ts";
import { messageOf } from "../log.ts";
import type { Action, Plan } from "../retention/plan.ts";
import type { Traces } from "../traces/traces.ts";
import { createRecall } from "../retention/recall.ts";
import type { Finder } from "../retention/relations.ts";
import type { DocumentReader } from "../retention/world.ts";
import { applyActions } from "./apply.ts";
import type { ActionFailed, ApplyOptions } from "./apply.ts";
import { attempt, ATTEMPT_MS } from "./attempt.ts";
import { cacheProblems } from "./caches.ts";
import type { Caches } from "./caches.ts";
import { gather } from "./gather.ts";
import type { ControllerMetrics } from "./metrics.ts";
import { notAgain } from "./not-again.ts";
import { startPlanLoop } from "./plan-loop.ts";
import type { PlanLoop } from "./plan-loop.ts";
import { forgetPlan } from "./report.ts";
import type { Report } from "./report.ts";
import { startMover } from "./restore-mover.ts";
import type { MoverOptions } from "./restore-mover.ts";
import type { RestoreReport } from "./restore-report.ts";
import { applyRoomWork, roomWork } from "./room-answers.ts";
import type { RoomWork } from "./room-answers.ts";
import type { Sightings } from "./sightings.ts";
import { createWrites } from "./writes.ts";

/** What leading needs. */
export interface LeaderOptions
  extends Pick<ApplyOptions, "signer" | "recorder">, Omit<MoverOptions, "restoreReport"> {
  readonly caches: Caches;
  readonly sightings: Sightings;
  readonly documents: DocumentReader;
  /** Finds what the caches hold. */
  readonly find: Finder;
  readonly metrics: ControllerMetrics;
  readonly createReport: () => Report;
  readonly createRestoreReport: () => RestoreReport;
  /** Where traces are wanted. */
  readonly traces?: Traces | undefined;
  /** Told what keeps the leader from deciding; undefined when nothing does any more. */
  readonly onBlocked: (problems: readonly string[]) => void;
}

/** Objects that are worked on at the same time: the storage frees one in about a second. */
const CONCURRENCY = 8;
/** A watch that failed is usually back within a second. */
const BLOCKED_MS = 1_000;

/** Keeps the cluster as the policy says, while the term lasts. */
export interface Leader {
  /** Something has changed. */
  readonly ring: PlanLoop["ring"];
  /** A DataDownload has changed. */
  readonly downloadChanged: RestoreReport["changed"];
  /** Settles when nothing of the term runs any more: after it has ended, or `stop` has aborted. */
  readonly ended: Promise<void>;
}

/** Begins a term. */
export function startLeader(term: Term, options: LeaderOptions): Leader {
  const { caches, sightings, metrics, now, stop } = options;
  const report = options.createReport();
  const over = AbortSignal.any([term.signal, stop]);
  const work = createActionQueue(term, options, report);
  const rooms = createRoomQueue(term, options);
  const restoreReport = options.createRestoreReport();
  const mover = startMover(term, { ...options, restoreReport });

  const recall = createRecall();

  function look(): number | undefined {
    const policy = options.policy();
    const problems = [
      ...cacheProblems(caches),
      ...(policy === undefined ? ["policy: none is in force"] : []),
    ];
    options.onBlocked(problems);
    if (policy === undefined || problems.length > 0) {
      // What is not seen is not decided about: what waits in the queues is no longer sure either.
      work.replace([]);
      return now() + BLOCKED_MS;
    }
    const world = gather(caches, sightings, options.documents, now());
    const begun = options.clock();
    const plan = decide(world, policy, now(), { recall, find: options.find });
    const tookMs = options.clock() - begun;
    metrics.planSeconds.observe(tookMs / 1000);
    tracePlan(options, plan, tookMs);
    metrics.lastPlan.set(now() / 1000);
    sightings.remember(nextMemory(world, plan, now()));
    work.replace(byKey(notAgain(plan.actions, world, (name) => sightings.gone(name))));
    rooms.replace(roomWork(plan.room, caches.rooms.values()));
    report.planned(world, plan);
    return plan.recheckAt;
  }
  metrics.leader.set(1);
  const loop = startPlanLoop({ look: guarded(look, options), now, signal: over });
  metrics.observeQueue(() => work.count());
  return {
    ring(urgent) {
      loop.ring(urgent);
      mover.ring(true);
    },
    downloadChanged: (download, before) => restoreReport.changed(download, before),
    ended: end([work, rooms, mover], over, metrics),
  };
}

/** A plan that cannot be made must not end the process: the next change may help. */
function guarded(look: () => number | undefined, { onError, now }: LeaderOptions): () => number | undefined {
  return () => {
    try {
      return look();
    } catch (error) {
      onError(error);
      return now() + 10 * BLOCKED_MS;
    }
  };
}

async function end(
  queues: readonly Pick<WorkQueue<unknown>, "drain">[],
  over: AbortSignal,
  metrics: ControllerMetrics,
): Promise<void> {
  await new Promise((resolve) => {
    over.addEventListener("abort", resolve, { once: true });
    if (over.aborted) resolve(undefined);
  });
  metrics.leader.set(0);
  forgetPlan(metrics);
  metrics.observeQueue(() => ({ depth: 0, retrying: 0 }));
  await Promise.all(queues.map(async (queue) => queue.drain(ATTEMPT_MS)));
}

/** What is to be done with one object, in order. */
interface Item {
  readonly key: string;
  readonly actions: readonly Action[];
}

function byKey(actions: readonly Action[]): Item[] {
  return [...Map.groupBy(actions, ({ key }) => key)].map(([key, ofKey]) => ({ key, actions: ofKey }));
}

/** The words and the time to wait for Velero may move on; the rest says what is to be done to which version. */
function printOf({ actions }: Item): string {
  return JSON.stringify(actions, (key, value: unknown) =>
    key === "message" || key === "deleteAt" ? "" : value,
  );
}

function tracePlan({ traces, now }: LeaderOptions, { snapshots, actions }: Plan, tookMs: number): void {
  const attributes = {
    "snapshot_retainer.snapshots": snapshots.length,
    "snapshot_retainer.actions": actions.length,
  };
  traces?.span({ name: "plan", start: now() - tookMs, end: now(), attributes });
}

/** Does it, and tells of it where traces are wanted. */
async function traced(
  { traces, now }: LeaderOptions,
  { key, actions }: Item,
  work: () => Promise<Outcome>,
): Promise<Outcome> {
  if (traces === undefined) return work();
  const start = now();
  const attributes = {
    "k8s.object.name": key,
    "snapshot_retainer.actions": actions.map(({ kind }) => kind).join(","),
  };
  try {
    const outcome = await work();
    traces.span({ name: "apply", start, end: now(), attributes });
    return outcome;
  } catch (error) {
    traces.span({ name: "apply", start, end: now(), attributes, error: messageOf(error) });
    throw error;
  }
}

function createActionQueue(term: Term, options: LeaderOptions, report: Report): WorkQueue<Item> {
  const { rest, sightings, metrics, now, onError } = options;
  const told = { failed: (failure: ActionFailed) => report.failed(failure), onError };
  return createWorkQueue<Item>({
    ...options,
    concurrency: CONCURRENCY,
    signal: term.signal,
    keyOf: ({ key }) => key,
    printOf,
    work: async (item) =>
      attempt(term, told, async (signal) =>
        traced(options, item, async () =>
          applyActions(
            item.actions,
            {
              ...options,
              writes: createWrites(rest, signal),
              confirm: async () => term.confirm(),
              onBegun: (action) => {
                sightings.freeBegan(now());
                metrics.frees.inc({ reason: action.reason });
                report.applied(action);
              },
            },
            // A free was told of when it was begun: its end comes by a watch.
            (action) => {
              if (action.kind !== "free") report.applied(action);
            },
          ),
        ),
      ),
  });
}

function createRoomQueue(term: Term, options: LeaderOptions): WorkQueue<RoomWork> {
  const { rest, metrics, now, onError } = options;
  return createWorkQueue<RoomWork>({
    ...options,
    concurrency: CONCURRENCY,
    signal: term.signal,
    keyOf: ({ lease }) => lease.name,
    printOf: ({ lease, answer }) => `${lease.resourceVersion ?? ""} ${answer.answer}`,
    work: async (item) =>
      attempt(term, { failed: onError, onError }, async (signal) => {
        const { answer, reservation } = item.answer;
        if ((await applyRoomWork(item, createWrites(rest, signal))) && answer !== "consumed") {
          metrics.roomRequests.inc({ answer });
          if (answer !== "lapsed") metrics.roomSeconds.observe((now() - reservation.seenAtMs) / 1000);
        }
        return { kind: "done" };
      }),
  });
}
