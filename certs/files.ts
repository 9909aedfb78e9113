import { dirname } from "node:path";
import { inspectCertificate, isKeyOf } from "./inspect.ts";
import { startLevelLoop } from "./level-loop.ts";
import { POLL_MS, readMounted, watchDirectory } from "./mounted.ts";
import {
  createPairHolder,
  type CertificateLog,
  type CertificateSource,
  type PairHolder,
  type ServingPair,
} from "./source.ts";
import { isExpired, isNotYetValid } from "./validity.ts";

/** Which files hold the pair, as cert-manager's or a user's own mounted Secret. */
export interface FilesOptions {
  readonly certFile: string;
  readonly keyFile: string;
  readonly now: () => Date;
  readonly log: CertificateLog;
  readonly signal: AbortSignal;
}

/**
 * Serves the pair from two files and reloads it when they change. A new pair that cannot be read, or whose key is not the
 * certificate's, is reported and the old one stays.
 */
export function startFiles(options: FilesOptions): CertificateSource {
  const stopping = new AbortController();
  const signal = AbortSignal.any([options.signal, stopping.signal]);
  const pairs = createPairHolder(options.log);
  const loop = startLevelLoop({
    step: () => load(options, pairs),
    pollMs: POLL_MS,
    subject: options.certFile,
    log: options.log,
    signal,
  });
  const watches = [...new Set([options.certFile, options.keyFile].map((file) => dirname(file)))].map(
    (directory) => watchDirectory(directory, () => loop.ring(), signal),
  );
  return {
    current: () => pairs.current(),
    subscribe: (listener) => pairs.subscribe(listener),
    published: () => pairs.current() !== undefined && outOfDate(pairs.current(), options) === undefined,
    problem: () => loop.problem() ?? outOfDate(pairs.current(), options),
    async stop() {
      stopping.abort();
      await Promise.all([loop.ended, ...watches]);
    },
  };
}

async function load({ certFile, keyFile, log }: FilesOptions, pairs: PairHolder): Promise<void> {
  const [cert, key] = await Promise.all([readMounted(certFile), readMounted(keyFile)]);
  const facts = inspectCertificate(cert);
  if (facts === undefined) {
    throw new Error(`"${certFile}" holds no PEM certificate: write the certificate, then its chain, into it`);
  }
  if (!isKeyOf(cert, key)) {
    throw new Error(
      `the key in "${keyFile}" does not belong to the certificate in "${certFile}" (${facts.subject}): replace both files together`,
    );
  }
  const { notAfter, names, fingerprint } = facts;
  if (pairs.offer({ cert, key, ca: undefined, notAfter, names })) {
    log.info({ certFile, notAfter, names, fingerprint }, "loaded a serving certificate");
  }
}

/** What makes clients refuse the pair at this time; the files' owner has to renew it. */
function outOfDate(pair: ServingPair | undefined, { certFile, now }: FilesOptions): string | undefined {
  const facts = inspectCertificate(pair?.cert);
  if (facts === undefined) return undefined;
  if (isExpired(facts, now())) {
    return `the certificate in "${certFile}" expired at ${facts.notAfter.toISOString()}: renew it`;
  }
  if (isNotYetValid(facts, now())) {
    return `the certificate in "${certFile}" is valid from ${facts.notBefore.toISOString()} only: check the clocks`;
  }
  return undefined;
}
