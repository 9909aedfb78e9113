import { setTimeout as sleep } from "node:timers/promises";
import type { Api } from "./api.ts";
import { aBackup } from "./objects.ts";

const LIMIT = "backup.velero.io/data-mover-snapshot-to-retain";

/** What came of a load, as its sender saw it. */
export interface LoadResult {
  readonly sent: number;
  /** What the API server refused, in its words. */
  readonly failed: readonly string[];
  /** Requests that came back without what the webhook adds. */
  readonly unmutated: number;
  readonly longestMs: number;
}

/** Backups that are created without end. */
export interface Load {
  /** Requests that have no answer yet. */
  inFlight(): number;
  /** What has come of it so far. */
  result(): LoadResult;
  /** Sends no more and resolves when everything is answered. */
  stop(): Promise<void>;
}

/** A breath between two requests of a sender, so that the load leaves the machine to those it is put on. */
const PAUSE_MS = 15;

/**
 * Creates Backups through the API server by server-side dry run, as many at a time as there are senders, and looks at each
 * answer for the webhook's mutation.
 */
export function startLoad(api: Pick<Api, "create">, { senders }: { readonly senders: number }): Load {
  const seen = { sent: 0, answered: 0, failed: [] as string[], unmutated: 0, longestMs: 0 };
  const stopping = new AbortController();
  async function send(): Promise<void> {
    const begun = performance.now();
    seen.sent += 1;
    try {
      const { object } = await api.create(aBackup(), { dryRun: true });
      if (object.metadata.annotations[LIMIT] === undefined) seen.unmutated += 1;
    } catch (error) {
      seen.failed.push(error instanceof Error ? error.message : String(error));
    }
    seen.answered += 1;
    seen.longestMs = Math.max(seen.longestMs, performance.now() - begun);
  }
  const ended = Array.from({ length: senders }, async () => {
    while (!stopping.signal.aborted) {
      await send();
      await sleep(PAUSE_MS);
    }
  });
  return {
    inFlight: () => seen.sent - seen.answered,
    result: () => ({ ...seen, failed: [...seen.failed] }),
    async stop() {
      stopping.abort();
      await Promise.all(ended);
    },
  };
}
