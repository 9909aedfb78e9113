import { bundleOf, isServable, type Held } from "./bundle.ts";
import type { Reading } from "./configurations.ts";
import type { Published } from "./confirmation.ts";
import { inspectCertificate } from "./inspect.ts";
import { bundlesOf, type ConfigurationRef } from "./publish.ts";
import { createPairHolder, type CertificateLog, type PairHolder, type RotationStatus } from "./source.ts";
import { createStopwatch, type Stopwatch } from "./stopwatch.ts";
import { issuedAt } from "./validity.ts";

/** What one replica remembers between two looks; nothing of it has to outlive the process. */
export interface RotationState {
  readonly pairs: PairHolder;
  /** What was last read from each configuration; one that is absent has no entry. */
  readonly published: Map<ConfigurationRef, Published>;
  /** How long the Secret has trusted the same CAs. */
  readonly phase: Stopwatch;
  /** How long nothing at all has changed. */
  readonly steady: Stopwatch;
  status: RotationStatus;
}

/** Creates the memory of a replica that has seen nothing yet. */
export function createRotationState({
  log,
  clock,
}: {
  readonly log: CertificateLog;
  readonly clock: () => number;
}): RotationState {
  return {
    pairs: createPairHolder(log),
    published: new Map(),
    phase: createStopwatch(clock),
    steady: createStopwatch(clock),
    status: { caNotAfter: undefined, lastRenewal: undefined, inSync: false, waitingFor: 0, forced: 0 },
  };
}

/** Serves what is held, where that can be served, and remembers what was read. What could not be read stays as it was. */
export function remember(
  state: RotationState,
  {
    held,
    readings,
    now,
    log,
  }: {
    readonly held: Held | undefined;
    readonly readings: readonly Reading[];
    readonly now: Date;
    readonly log: CertificateLog;
  },
): void {
  adopt(held, { pairs: state.pairs, now, log });
  for (const reading of readings) {
    if (reading.kind === "found") state.published.set(reading.ref, bundlesOf(reading.found));
    if (reading.kind === "absent") state.published.delete(reading.ref);
  }
  const bundle = bundleOf(held, now);
  const inSync = [...state.published.values()].flat().every((published) => published === bundle);
  const serving = inspectCertificate(held?.cert);
  state.status = {
    ...state.status,
    inSync,
    caNotAfter: inspectCertificate(held?.caCert)?.notAfter,
    lastRenewal: serving && issuedAt(serving),
  };
}

/** Gives what is served, as the Secret would hold it. */
export function servedOf({ pairs }: RotationState): Held | undefined {
  const pair = pairs.current();
  return pair && { caCert: pair.ca, cert: pair.cert, key: pair.key };
}

function adopt(
  held: Held | undefined,
  { pairs, now, log }: { pairs: PairHolder; now: Date; log: CertificateLog },
): void {
  const facts = inspectCertificate(held?.cert);
  if (facts === undefined || held?.cert === undefined || held.key === undefined || !isServable(held, now))
    return;
  const { notAfter, names, fingerprint } = facts;
  const ca = bundleOf(held, now);
  if (pairs.offer({ cert: held.cert, key: held.key, ca, notAfter, names })) {
    log.info({ notAfter, names, fingerprint }, "loaded a serving certificate");
  }
}
