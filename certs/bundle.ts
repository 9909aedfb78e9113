import {
  inspectCertificate,
  isKeyOf,
  isTrustedBy,
  splitCertificates,
  type CertificateFacts,
} from "./inspect.ts";
import { isNotYetValid, isExpired } from "./validity.ts";

/**
 * What the Secret holds, each in PEM. `caCert` is everything that is trusted: the CA that signs, to which `caKey` belongs,
 * then others: older ones that still have something to verify, and the one that shall sign next, to which `nextKey` belongs.
 */
export interface Held {
  readonly caCert?: string | undefined;
  readonly caKey?: string | undefined;
  readonly nextKey?: string | undefined;
  readonly cert?: string | undefined;
  readonly key?: string | undefined;
}

/** One CA of a bundle. */
export interface Ca {
  readonly pem: string;
  readonly facts: CertificateFacts;
}

/** Gives each readable CA of a bundle that has not expired, once, in order. */
export function casOf(bundlePem: string | undefined, now: Date): Ca[] {
  const cas = new Map<string, Ca>();
  for (const pem of splitCertificates(bundlePem)) {
    const facts = inspectCertificate(pem);
    if (facts?.isCa === true && !isExpired(facts, now)) cas.set(facts.fingerprint, { pem, facts });
  }
  return [...cas.values()];
}

/** Gives the CAs that clients shall trust: each readable CA of the Secret that has not expired, once, the first first. */
export function bundleOf(held: Held | undefined, now: Date): string {
  return casOf(held?.caCert, now)
    .map(({ pem }) => pem)
    .join("");
}

/** Gives the CA that shall sign next; undefined where there is none, or it could not sign now. */
export function nextCaOf(held: Held, now: Date): Ca | undefined {
  if (held.nextKey === undefined) return undefined;
  return casOf(held.caCert, now).find(
    ({ pem, facts }) => facts.keyType === "rsa" && !isNotYetValid(facts, now) && isKeyOf(pem, held.nextKey),
  );
}

/** Gives the fingerprint of the CA of a bundle that signed a certificate. */
export function signerOf(
  certPem: string | undefined,
  bundlePem: string | undefined,
  now: Date,
): string | undefined {
  if (certPem === undefined) return undefined;
  return casOf(bundlePem, now).find(({ pem }) => isTrustedBy(certPem, pem, now))?.facts.fingerprint;
}

/** Says whether what the Secret holds can be served at this time, be it due for renewal or not. */
export function isServable(held: Held | undefined, now: Date): boolean {
  if (held?.cert === undefined || !isKeyOf(held.cert, held.key)) return false;
  return isTrustedBy(held.cert, held.caCert, now);
}
