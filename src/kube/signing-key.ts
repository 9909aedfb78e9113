import { setTimeout as sleep } from "node:timers/promises";
import * as z from "zod";
import type { Rest } from "./rest.ts";

const Secret = z.object({ data: z.object({ key: z.base64() }) });

const RETRY_MS = 1_000;

/**
 * Reads the key that the webhook signs with from its Secret, which the webhook makes; waits until there is one. Rejects only
 * when the signal aborts.
 */
export async function readSigningKey(given: {
  readonly rest: Rest;
  readonly namespace: string;
  readonly name: string;
  readonly onError: (error: unknown) => void;
  readonly signal: AbortSignal;
}): Promise<Buffer> {
  const { rest, namespace, name, onError, signal } = given;
  for (;;) {
    signal.throwIfAborted();
    try {
      const found = await rest.get(`/api/v1/namespaces/${namespace}/secrets/${name}`, signal);
      if (found !== undefined) return Buffer.from(Secret.parse(found).data.key, "base64");
    } catch (error) {
      onError(error);
    }
    await sleep(RETRY_MS, undefined, { signal });
  }
}
