import { setTimeout as sleep } from "node:timers/promises";
import * as z from "zod";
import { Silent, type StreamingRest } from "../src/kube/rest.ts";
import { describeFailure } from "./failure.ts";
import type { CertificateLog } from "./source.ts";

/** One object to watch: the collection's path, and the object's name in it. */
interface WatchTarget {
  readonly path: string;
  readonly name: string;
  readonly onChange: () => void;
  readonly log: CertificateLog;
  readonly signal: AbortSignal;
}

/** Calls `onChange` whenever the object is created, changed or deleted, until the signal aborts. Never rejects. */
export type WatchObject = (target: WatchTarget) => Promise<void>;

const Seen = z.object({ object: z.object({ metadata: z.object({ resourceVersion: z.string() }) }) });

/**
 * The pause before connecting again, doubled up to a minute while it fails. What happens in a pause is shown by the next
 * connection's first event, but for a deletion; that is left to the minute's poll of whoever watches.
 */
const FIRST_PAUSE_MS = 1_000;
const LONGEST_PAUSE_MS = 60_000;
/** After half a minute of silence the connection is opened anew: it may be dead. */
const SILENCE_MS = 30_000;

/** Creates a watch on single objects: a hint to look, not a cache. */
export function createObjectWatch(rest: Pick<StreamingRest, "stream">): WatchObject {
  return async function watchObject(target) {
    let pause = FIRST_PAUSE_MS;
    let lastVersion: string | undefined;
    function see(event: unknown): void {
      pause = FIRST_PAUSE_MS;
      const seen = Seen.safeParse(event);
      const version = seen.success ? seen.data.object.metadata.resourceVersion : undefined;
      // Each new connection begins with the object as it is, mostly an old acquaintance.
      if (version !== undefined && version === lastVersion) return;
      lastVersion = version;
      target.onChange();
    }
    while (!target.signal.aborted) {
      const failure = await watchOnce(rest, target, see);
      if (failure !== undefined && !isOver(target.signal)) {
        target.log.warn(
          { path: target.path, name: target.name, reason: failure },
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
  { path, name, signal }: WatchTarget,
  see: (event: unknown) => void,
): Promise<string | undefined> {
  const query = new URLSearchParams({ watch: "true", fieldSelector: `metadata.name=${name}` });
  try {
    await rest.stream(`${path}?${query.toString()}`, {
      onOpen: () => undefined,
      onLine: (line) => see(JSON.parse(line)),
      silenceMs: SILENCE_MS,
      signal,
    });
    return undefined;
  } catch (error) {
    return error instanceof Silent ? undefined : describeFailure(error);
  }
}

function isOver(signal: AbortSignal): boolean {
  return signal.aborted;
}
