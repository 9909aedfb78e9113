import { setTimeout as sleep } from "node:timers/promises";
import type { Rest } from "../src/kube/rest.ts";
import { describeFailure } from "./failure.ts";
import { settleSecret, type SecretData } from "./secret.ts";
import type { CertificateLog } from "./source.ts";

/** Where the signing key is kept. */
export interface SigningKeyOptions {
  readonly rest: Rest;
  readonly namespace: string;
  readonly name: string;
  readonly randomBytes: (size: number) => Buffer;
  readonly log: CertificateLog;
  readonly signal: AbortSignal;
}

/** 256 bits, the output length of HMAC-SHA256: a longer key adds nothing, a shorter one weakens it (RFC 2104). */
const KEY_BYTES = 32;

const ENTRY = "key";

const FIRST_RETRY_MS = 1_000;

/** As long as a missing key may hold up a start after the API server is back. */
const LONGEST_RETRY_MS = 30_000;

/**
 * Gives the key that all replicas sign with, creating its Secret when there is none; a race ends with one key for all.
 * Tries until it has one; rejects only when the signal aborts.
 */
export async function loadOrCreateSigningKey(options: SigningKeyOptions): Promise<Buffer> {
  for (let retryMs = FIRST_RETRY_MS; ; retryMs = Math.min(retryMs * 2, LONGEST_RETRY_MS)) {
    options.signal.throwIfAborted();
    try {
      return await settleKey(options);
    } catch (error) {
      options.log.warn({ reason: describeFailure(error) }, "no signing key yet, trying again");
    }
    await sleep(retryMs, undefined, { signal: options.signal });
  }
}

async function settleKey({ rest, namespace, name, randomBytes, log }: SigningKeyOptions): Promise<Buffer> {
  const data = await settleSecret({
    rest,
    namespace,
    name,
    type: "Opaque",
    async change(found) {
      if (keyOf(found) !== undefined) return undefined;
      const bytes = found?.[ENTRY]?.length;
      log.info({ namespace, name, bytes, neededBytes: KEY_BYTES }, "creating the signing key");
      return { [ENTRY]: randomBytes(KEY_BYTES) };
    },
  });
  const key = keyOf(data);
  if (key === undefined) throw new Error(`Secret ${namespace}/${name} holds no usable key`);
  return key;
}

function keyOf(data: SecretData | undefined): Buffer | undefined {
  const key = data?.[ENTRY];
  return key !== undefined && key.length >= KEY_BYTES ? key : undefined;
}
