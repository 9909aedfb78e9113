import { inspectCertificate, isTrustedBy } from "./inspect.ts";
import { startLevelLoop } from "./level-loop.ts";
import type { CertificatePorts } from "./ports.ts";
import { COLLECTIONS, publishBundle, type ConfigurationRef, type PublishedBundles } from "./publish.ts";
import { renew } from "./renew.ts";
import { bundleOf, decideRotation, isServable, type Held } from "./rotation.ts";
import { settleSecret, type SecretData } from "./secret.ts";
import { createPairHolder, type CertificateLog, type CertificateSource, type PairHolder } from "./source.ts";

/** What the self-managed authority works on. */
export interface AuthorityOptions extends CertificatePorts {
  readonly namespace: string;
  readonly secretName: string;
  /** The DNS names and IP addresses under which the API server calls. */
  readonly names: readonly string[];
  readonly configurations: readonly ConfigurationRef[];
  readonly now: () => Date;
  readonly randomBytes: (size: number) => Buffer;
  readonly log: CertificateLog;
  readonly signal: AbortSignal;
}

/** What was last read from each configuration; one that is absent has no entry. */
type Published = Map<ConfigurationRef, PublishedBundles>;

/**
 * The wall clock and all objects are looked at each minute, besides on every change: a timer of 20 days would be late
 * by as long as a suspended machine slept, and a lost watch event would never be made up for.
 */
const POLL_MS = 60_000;

/**
 * Keeps a CA and a serving certificate in one Secret, and the CA in the webhook configurations. Every replica runs it,
 * any of them may issue, and optimistic concurrency decides whose work the others adopt. It outlives all failures.
 */
export function startAuthority(options: AuthorityOptions): CertificateSource {
  const stopping = new AbortController();
  const signal = AbortSignal.any([options.signal, stopping.signal]);
  const pairs = createPairHolder(options.log);
  const published: Published = new Map();
  const loop = startLevelLoop({
    step: async () => {
      const held = await settle(options, pairs);
      await publishToAll(options, published, held);
    },
    pollMs: POLL_MS,
    subject: `Secret ${options.namespace}/${options.secretName}`,
    log: options.log,
    signal,
  });
  const watches = watchAll(options, () => loop.ring(), signal);
  return {
    current: () => pairs.current(),
    subscribe: (listener) => pairs.subscribe(listener),
    published: () => isPublished(pairs.current()?.cert, published, options.now()),
    problem: () => loop.problem(),
    async stop() {
      stopping.abort();
      await Promise.all([loop.ended, ...watches]);
    },
  };
}

/** Brings the Secret in order and loads what it holds; gives what it holds in the end. */
async function settle(options: AuthorityOptions, pairs: PairHolder): Promise<Held> {
  const { rest, namespace, secretName: name, names, randomBytes, log } = options;
  const data = await settleSecret({
    rest,
    namespace,
    name,
    type: "kubernetes.io/tls",
    async change(found) {
      const now = options.now();
      const held = found === undefined ? undefined : toHeld(found);
      // Before anything is written: a pair that is due for renewal is served for as long as renewing fails.
      adopt(held, { pairs, now, log });
      const decision = decideRotation({ held, names, now });
      if (decision.kind === "nothing") return undefined;
      const { kind, reason, message } = decision;
      log.info({ namespace, name, action: kind, reason, explanation: message }, "renewing certificates");
      return toData(await renew(kind, { held, names: decision.names, now, randomBytes }));
    },
  });
  return toHeld(data);
}

function adopt(
  held: Held | undefined,
  { pairs, now, log }: { pairs: PairHolder; now: Date; log: CertificateLog },
): void {
  const facts = inspectCertificate(held?.cert);
  if (facts === undefined || held?.cert === undefined || held.key === undefined || !isServable(held, now))
    return;
  const { notAfter, names, fingerprint } = facts;
  if (pairs.offer({ cert: held.cert, key: held.key, ca: bundleOf(held, now), notAfter, names })) {
    log.info({ notAfter, names, fingerprint }, "loaded a serving certificate");
  }
}

/** Publishes to each configuration, whatever happens to the others; throws all that was in the way. */
async function publishToAll(options: AuthorityOptions, published: Published, held: Held): Promise<void> {
  const bundle = bundleOf(held, options.now());
  const results = await Promise.allSettled(
    options.configurations.map((ref) => publishTo(options, published, { ref, bundle })),
  );
  const failures = results.flatMap((result) =>
    result.status === "rejected" ? [toError(result.reason)] : [],
  );
  if (failures.length > 0)
    throw new AggregateError(failures, failures.map(({ message }) => message).join("; "));
}

async function publishTo(
  { rest, log }: AuthorityOptions,
  published: Published,
  { ref, bundle }: { ref: ConfigurationRef; bundle: string },
): Promise<void> {
  const written = await publishBundle({
    rest,
    ref,
    bundle,
    onRead(found) {
      if (found === undefined) published.delete(ref);
      else published.set(ref, found);
    },
  });
  if (!published.has(ref)) {
    throw new Error(
      `${ref.kind} "${ref.name}" does not exist, so the API server sends us nothing: install the chart, which brings it, or name another one with --webhook-configuration`,
    );
  }
  if (written) log.info({ kind: ref.kind, name: ref.name }, "published the CA bundle");
}

/**
 * True when every webhook of every configuration that exists trusts what is served. A configuration that is absent cannot
 * be disappointed, so that an administrator who deletes one does not make the others' server unready.
 */
function isPublished(cert: string | undefined, published: Published, now: Date): boolean {
  if (cert === undefined || published.size === 0) return false;
  const bundles = new Set([...published.values()].flat());
  return [...bundles].every((bundle) => isTrustedBy(cert, bundle, now));
}

function watchAll(options: AuthorityOptions, onChange: () => void, signal: AbortSignal): Promise<void>[] {
  const { watch, log, namespace, secretName, configurations } = options;
  const secret = { path: `/api/v1/namespaces/${namespace}/secrets`, name: secretName };
  const targets = [secret, ...configurations.map(({ kind, name }) => ({ path: COLLECTIONS[kind], name }))];
  return targets.map((target) => watch({ ...target, onChange, log, signal }));
}

function toHeld(data: SecretData): Held {
  return {
    caCert: text(data["ca.crt"]),
    caKey: text(data["ca.key"]),
    cert: text(data["tls.crt"]),
    key: text(data["tls.key"]),
  };
}

function toData({ caCert = "", caKey = "", cert = "", key = "" }: Held): SecretData {
  return {
    "ca.crt": Buffer.from(caCert),
    "ca.key": Buffer.from(caKey),
    "tls.crt": Buffer.from(cert),
    "tls.key": Buffer.from(key),
  };
}

/** An empty entry is as good as none: type kubernetes.io/tls demands that the entries exist. */
function text(value: Buffer | undefined): string | undefined {
  return value === undefined || value.length === 0 ? undefined : value.toString();
}

function toError(reason: unknown): Error {
  return reason instanceof Error ? reason : new Error(String(reason));
}
