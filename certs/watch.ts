import { setTimeout as sleep } from "node:timers/promises";
import { Watch, type KubeConfig } from "@kubernetes/client-node";
import * as z from "zod";
import { describeFailure } from "./failure.ts";
import type { CertificateLog } from "./source.ts";

/** What to watch: one object or those with a label, in the collection of a path. */
interface WatchTarget {
  readonly path: string;
  readonly query: { readonly fieldSelector: string } | { readonly labelSelector: string };
  /** What of an object is news; its version where left out. */
  readonly newsOf?: (object: unknown) => string | undefined;
  readonly onChange: () => void;
  readonly log: CertificateLog;
  readonly signal: AbortSignal;
}

/** Calls `onChange` whenever an object is created, changed or deleted, until the signal aborts. Never rejects. */
export type WatchObject = (target: WatchTarget) => Promise<void>;

const Seen = z.object({ metadata: z.object({ name: z.string(), resourceVersion: z.string() }) });

/**
 * The pause before connecting again, doubled up to a minute while it fails. What happens in a pause is shown by the next
 * connection's first event, but for a deletion; that is left to the minute's poll of whoever watches.
 */
const FIRST_PAUSE_MS = 1_000;
const LONGEST_PAUSE_MS = 60_000;

/**
 * Creates a watch on few objects. It is a hint to look, not a cache, hence client-node's Watch and not its informer,
 * which keeps copies, stops at the first error, and from which a failure while reconnecting escapes as an unhandled
 * rejection that would end the process.
 */
export function createObjectWatch(kubeConfig: KubeConfig): WatchObject {
  const watch = new Watch(kubeConfig);
  return async function watchObject(target) {
    let pause = FIRST_PAUSE_MS;
    const known = new Map<string, string>();
    function see(phase: string, object: unknown): void {
      pause = FIRST_PAUSE_MS;
      const seen = Seen.safeParse(object);
      const { name = "", resourceVersion } = seen.success ? seen.data.metadata : {};
      const news = `${phase === "DELETED" ? phase : ""} ${target.newsOf?.(object) ?? resourceVersion ?? ""}`;
      // Each new connection begins with the objects as they are, mostly old acquaintances.
      if (seen.success && news === known.get(name)) return;
      known.set(name, news);
      target.onChange();
    }
    while (!target.signal.aborted) {
      const failure = await watchOnce(watch, target, see);
      if (failure !== undefined && !isOver(target.signal)) {
        target.log.warn(
          { path: target.path, ...target.query, reason: failure },
          "watch failed, trying again",
        );
      }
      await sleep(pause, undefined, { signal: target.signal }).catch(() => undefined);
      pause = failure === undefined ? FIRST_PAUSE_MS : Math.min(pause * 2, LONGEST_PAUSE_MS);
    }
  };
}

/** Watches until the connection ends; gives the reason when that was a failure. */
async function watchOnce(
  watch: Watch,
  { path, query, signal }: WatchTarget,
  see: (phase: string, object: unknown) => void,
): Promise<string | undefined> {
  const { promise: ended, resolve } = Promise.withResolvers<unknown>();
  try {
    const connection = await watch.watch(path, { ...query }, see, resolve);
    function hangUp(): void {
      connection.abort();
    }
    signal.addEventListener("abort", hangUp);
    if (signal.aborted) hangUp();
    const error = await ended;
    signal.removeEventListener("abort", hangUp);
    return isFailure(error) ? describeFailure(error) : undefined;
  } catch (error) {
    return describeFailure(error);
  }
}

/** After half a minute of silence the client hangs up by itself, to notice a dead connection: nothing to report. */
function isFailure(error: unknown): boolean {
  return error !== null && error !== undefined && !(error instanceof Error && error.name === "TimeoutError");
}

function isOver(signal: AbortSignal): boolean {
  return signal.aborted;
}
