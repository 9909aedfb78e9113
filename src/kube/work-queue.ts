import { setTimeout as sleep } from "node:timers/promises";
import { createQueueState } from "./work-queue-state.ts";
import type { Outcome, QueueRules } from "./work-queue-state.ts";

/** Does what the newest plan says, one item a key at a time. */
export interface WorkQueue<T> {
  /** The newest plan takes the place of the one before; what it does not hold any more is not started. */
  replace(items: readonly T[]): void;
  /** How many items wait or run, and how many of them failed at least once. */
  count(): { readonly depth: number; readonly retrying: number };
  /** Starts nothing more; settles when what runs has ended, or after this time. */
  drain(ms: number): Promise<void>;
}

/** How to work. */
export interface WorkQueueOptions<T> extends QueueRules<T> {
  /** Never rejects. */
  readonly work: (item: T) => Promise<Outcome>;
  /** Items that run at the same time. */
  readonly concurrency: number;
  /** A monotonic clock in milliseconds. */
  readonly clock: () => number;
  /** From 0 to below 1. */
  readonly random: () => number;
  /** Nothing is started after it aborts. */
  readonly signal: AbortSignal;
}

/** A queue without items. Each item is taken from the newest plan at the moment it starts, also when it is retried. */
export function createWorkQueue<T>(options: WorkQueueOptions<T>): WorkQueue<T> {
  const { clock, random, signal, concurrency } = options;
  const running = new Set<Promise<void>>();
  const state = createQueueState(options);
  let timer: NodeJS.Timeout | undefined;
  let isDraining = false;

  function pump(): void {
    clearTimeout(timer);
    while (mayStart()) {
      const taken = state.take(clock());
      if (!("item" in taken)) {
        if (taken.wakeAt !== undefined) timer = setTimeout(pump, taken.wakeAt - clock());
        return;
      }
      start(taken.item);
    }
  }
  function mayStart(): boolean {
    return !isDraining && !signal.aborted && running.size < concurrency;
  }
  function start(item: T): void {
    const run = options.work(item).then((outcome) => {
      state.finish({ item, outcome, now: clock(), random: random() });
      running.delete(run);
      pump();
    });
    running.add(run);
  }
  signal.addEventListener("abort", () => clearTimeout(timer), { once: true });
  return {
    replace(items) {
      state.replace(items);
      pump();
    },
    count: () => state.count(),
    async drain(ms) {
      isDraining = true;
      clearTimeout(timer);
      const over = new AbortController();
      await Promise.race([
        Promise.all(running),
        sleep(ms, undefined, { signal: over.signal }).catch(() => undefined),
      ]);
      over.abort();
    },
  };
}
