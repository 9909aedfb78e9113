import { dirname } from "node:path";
import { inspectCertificate, splitCertificates } from "./inspect.ts";
import { startLevelLoop } from "./level-loop.ts";
import { POLL_MS, readMounted, watchDirectory } from "./mounted.ts";
import type { CertificateLog } from "./source.ts";

/** The CAs that clients' certificates are checked against, as a file has them now. */
export interface ClientCa {
  /** PEM. */
  current(): string;
  /** Calls the listener on each later change; returns what ends that. */
  subscribe(listener: () => void): () => void;
}

/** Which file holds them. */
export interface ClientCaOptions {
  readonly file: string;
  readonly log: CertificateLog;
  readonly signal: AbortSignal;
}

/**
 * Reads the CAs from a file and follows it until the signal aborts. Rejects where there is nothing usable at the start:
 * a server that should check its clients must not begin without. A change for the worse is reported, and the CAs stay.
 */
export async function startClientCa({ file, log, signal }: ClientCaOptions): Promise<ClientCa> {
  const listeners = new Set<() => void>();
  let held = await read(file);
  async function step(): Promise<void> {
    const next = await read(file);
    if (next === held) return;
    held = next;
    log.info({ file }, "loaded the CAs of clients");
    for (const listener of listeners) listener();
  }
  const loop = startLevelLoop({ step, pollMs: POLL_MS, subject: file, log, signal });
  void watchDirectory(dirname(file), () => loop.ring(), signal);
  return {
    current: () => held,
    subscribe(listener) {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
  };
}

async function read(file: string): Promise<string> {
  const certificates = splitCertificates(await readMounted(file));
  if (certificates.length === 0 || certificates.some((pem) => inspectCertificate(pem) === undefined)) {
    throw new Error(
      `"${file}" holds no PEM certificates that can be read: write the CA of the API server's client certificate into it`,
    );
  }
  return certificates.join("");
}
