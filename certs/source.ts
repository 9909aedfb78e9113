import { once } from "node:events";

/** A certificate and its key as a TLS server takes them, in PEM. */
export interface ServingPair {
  readonly cert: string;
  readonly key: string;
  /** The CAs that verify `cert`; undefined where only the two files are known. */
  readonly ca: string | undefined;
  readonly notAfter: Date;
  readonly names: readonly string[];
}

/** Where a server's certificate comes from, whichever way it is kept. */
export interface CertificateSource {
  /** The pair to serve now; undefined until there is a first one. */
  current(): ServingPair | undefined;
  /** Calls the listener on each later change; returns what ends that. */
  subscribe(listener: (pair: ServingPair) => void): () => void;
  /** Says whether the API server accepts what is served now, as far as the source can know. */
  published(): boolean;
  /** Says in a sentence what is wrong, and undefined when nothing is. */
  problem(): string | undefined;
  /** How the rotation stands; left out where somebody else rotates. */
  readonly rotation?: () => RotationStatus;
  /** Ends all work; also ended by the signal the source was started with. */
  stop(): Promise<void>;
}

/** How a rotation stands, as this replica saw it last. */
export interface RotationStatus {
  /** When the CA that signs ends; undefined while there is none. */
  readonly caNotAfter: Date | undefined;
  /** When the certificate that the Secret holds was issued; undefined while there is none. */
  readonly lastRenewal: Date | undefined;
  /** Whether every webhook carries exactly the CAs of the Secret. */
  readonly inSync: boolean;
  /** How many live replicas have to confirm before it goes on. */
  readonly waitingFor: number;
  /** How many times it went on here without a replica that did not confirm in time. */
  readonly forced: number;
}

/** The part of a logger that certificates need; pino's fits. */
export interface CertificateLog {
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
}

/** Holds the pair that is served, and tells listeners when another takes its place. */
export interface PairHolder {
  current(): ServingPair | undefined;
  /** Takes a pair; says whether it differs from the one held. */
  offer(pair: ServingPair): boolean;
  subscribe(listener: (pair: ServingPair) => void): () => void;
}

/** Creates an empty holder; a listener that throws is reported and harms nobody else. */
export function createPairHolder(log: CertificateLog): PairHolder {
  const listeners = new Set<(pair: ServingPair) => void>();
  let held: ServingPair | undefined;
  return {
    current: () => held,
    offer(pair) {
      if (held?.cert === pair.cert && held.key === pair.key && held.ca === pair.ca) return false;
      held = pair;
      for (const listener of listeners) notify(listener, pair, log);
      return true;
    },
    subscribe(listener) {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
  };
}

/** Waits for a source's first pair; rejects with the signal's reason when that comes first. */
export async function waitForPair(source: CertificateSource, signal: AbortSignal): Promise<ServingPair> {
  signal.throwIfAborted();
  const present = source.current();
  if (present !== undefined) return present;
  const { promise, resolve, reject } = Promise.withResolvers<ServingPair>();
  const settled = new AbortController();
  const unsubscribe = source.subscribe(resolve);
  once(signal, "abort", { signal: settled.signal }).then(
    () => reject(signal.reason),
    () => undefined,
  );
  try {
    return await promise;
  } finally {
    unsubscribe();
    settled.abort();
  }
}

function notify(listener: (pair: ServingPair) => void, pair: ServingPair, log: CertificateLog): void {
  try {
    listener(pair);
  } catch (error) {
    log.error({ err: error }, "listener for a new serving certificate failed");
  }
}
