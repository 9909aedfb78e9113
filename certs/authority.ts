import { isTrustedBy } from "./inspect.ts";
import { startLevelLoop } from "./level-loop.ts";
import { paceOf } from "./pace.ts";
import type { CertificatePorts } from "./ports.ts";
import { COLLECTIONS, type ConfigurationRef } from "./publish.ts";
import { createReplicaLeases, leasesPath, newsOf, SERVING_LABEL } from "./replica-leases.ts";
import { rotate } from "./rotate.ts";
import { createRotationState, type RotationState } from "./rotation-state.ts";
import type { CertificateLog, CertificateSource } from "./source.ts";

/** What the self-managed authority works on. */
export interface AuthorityOptions extends CertificatePorts {
  readonly namespace: string;
  readonly secretName: string;
  /** Unique to this process; others see it as the name of its Lease. */
  readonly identity: string;
  /** The DNS names and IP addresses under which the API server calls. */
  readonly names: readonly string[];
  readonly configurations: readonly ConfigurationRef[];
  /** Renews the CA after this time instead of after two thirds of its life, for drills and tests. */
  readonly rotateEveryMs?: number | undefined;
  readonly now: () => Date;
  /** A monotonic clock in milliseconds. */
  readonly clock: () => number;
  readonly randomBytes: (size: number) => Buffer;
  readonly log: CertificateLog;
  readonly signal: AbortSignal;
}

/**
 * Keeps a CA and a serving certificate in one Secret, and the CA in the webhook configurations. Every replica runs it, any of
 * them may take any step of a rotation, and optimistic concurrency decides whose work the others adopt. It outlives all
 * failures.
 */
export function startAuthority(options: AuthorityOptions): CertificateSource {
  const stopping = new AbortController();
  const signal = AbortSignal.any([options.signal, stopping.signal]);
  const pace = paceOf(options.rotateEveryMs);
  const leases = createReplicaLeases({ ...options, leaseMs: pace.leaseMs });
  const state = createRotationState(options);
  const loop = startLevelLoop({
    step: () => rotate({ ...options, pace, leases }, state),
    pollMs: pace.pollMs,
    breathMs: pace.breathMs,
    subject: `Secret ${options.namespace}/${options.secretName}`,
    log: options.log,
    signal,
  });
  const watches = watchAll(options, () => loop.ring(), signal);
  return {
    current: () => state.pairs.current(),
    subscribe: (listener) => state.pairs.subscribe(listener),
    published: () => isPublished(state, options.now()),
    problem: () => loop.problem(),
    rotation: () => state.status,
    async stop() {
      stopping.abort();
      await Promise.all([loop.ended, ...watches]);
      await leases.withdraw();
    },
  };
}

/**
 * True when every webhook of every configuration that exists trusts what is served. A configuration that is absent cannot
 * be disappointed, so that an administrator who deletes one does not make the others' server unready.
 */
function isPublished({ pairs, published }: RotationState, now: Date): boolean {
  const cert = pairs.current()?.cert;
  if (cert === undefined || published.size === 0) return false;
  const bundles = new Set([...published.values()].flat());
  return [...bundles].every((bundle) => isTrustedBy(cert, bundle, now));
}

function watchAll(options: AuthorityOptions, onChange: () => void, signal: AbortSignal): Promise<void>[] {
  const { watch, log, namespace, secretName, configurations } = options;
  const named = [
    { path: `/api/v1/namespaces/${namespace}/secrets`, name: secretName },
    ...configurations.map(({ kind, name }) => ({ path: COLLECTIONS[kind], name })),
  ].map(({ path, name }) => ({ path, query: { fieldSelector: `metadata.name=${name}` } }));
  const leases = { path: leasesPath(namespace), query: { labelSelector: `${SERVING_LABEL}=true` }, newsOf };
  return [...named, leases].map((target) => watch({ ...target, onChange, log, signal }));
}
