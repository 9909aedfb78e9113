import { watch } from "node:fs";
import { readFile } from "node:fs/promises";
import { dirname } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { describeFailure } from "./failure.ts";
import { inspectCertificate, isKeyOf } from "./inspect.ts";
import { startLevelLoop } from "./level-loop.ts";
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
 * The kubelet updates a mounted Secret within about a minute, so ten seconds add little; and the poll is all there is
 * where file events are not delivered (some network and overlay file systems).
 */
const POLL_MS = 10_000;

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
  const [cert, key] = await Promise.all([readText(certFile), readText(keyFile)]);
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

async function readText(file: string): Promise<string> {
  try {
    return await readFile(file, "utf8");
  } catch (cause) {
    const reason = describeFailure(cause);
    throw new Error(`cannot read "${file}": ${reason}; mount the Secret there, or name another file`, {
      cause,
    });
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

/**
 * Watches the directory and not the files: a mounted Secret changes by swapping the symbolic link `..data`, of which the
 * files behind it notice nothing.
 */
async function watchDirectory(directory: string, onChange: () => void, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    try {
      const watcher = watch(directory, { signal });
      await new Promise((resolve, reject) => {
        watcher.on("change", onChange).on("close", resolve).on("error", reject);
      });
    } catch {
      // The directory may not be there yet. That its files cannot be read is reported by the step.
    }
    await sleep(POLL_MS, undefined, { signal }).catch(() => undefined);
  }
}
