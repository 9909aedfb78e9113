import { setTimeout as sleep } from "node:timers/promises";
import * as z from "zod";
import { Silent, type StreamingRest } from "../src/kube/rest.ts";
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

const Seen = z.object({
  type: z.string(),
  object: z.looseObject({ metadata: z.object({ name: z.string(), resourceVersion: z.string() }) }),
});

/**
 * The pause before connecting again, doubled up to a minute while it fails. What happens in a pause is shown by the next
 * connection's first event, but for a deletion; that is left to the minute's poll of whoever watches.
 */
const FIRST_PAUSE_MS = 1_000;
const LONGEST_PAUSE_MS = 60_000;
/** After half a minute of silence the connection is opened anew: it may be dead. */
const SILENCE_MS = 30_000;

/** Creates a watch on few objects: a hint to look, not a cache. */
export function createObjectWatch(rest: Pick<StreamingRest, "stream">): WatchObject {
  return async function watchObject(target) {
    let pause = FIRST_PAUSE_MS;
    const known = new Map<string, string>();
    function see(line: string): void {
      pause = FIRST_PAUSE_MS;
      const seen = Seen.safeParse(JSON.parse(line)).data;
      if (seen !== undefined) {
        const { name, resourceVersion } = seen.object.metadata;
        const phase = seen.type === "DELETED" ? seen.type : "";
        const news = `${phase} ${target.newsOf?.(seen.object) ?? resourceVersion}`;
        // Each new connection begins with the objects as they are, mostly old acquaintances.
        if (news === known.get(name)) return;
        known.set(name, news);
      }
      target.onChange();
    }
    while (!target.signal.aborted) {
      const failure = await watchOnce(rest, target, see);
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
  rest: Pick<StreamingRest, "stream">,
  { path, query, signal }: WatchTarget,
  see: (line: string) => void,
): Promise<string | undefined> {
  const selected = new URLSearchParams({ watch: "true", ...query });
  try {
    await rest.stream(`${path}?${selected.toString()}`, {
      onOpen: () => undefined,
      onLine: see,
      silenceMs: SILENCE_MS,
      signal,
    });
    return undefined;
  } catch (error) {
    // Not even a sign of life for a while: nothing to report, it is looked again.
    return error instanceof Silent ? undefined : describeFailure(error);
  }
}

function isOver(signal: AbortSignal): boolean {
  return signal.aborted;
}
