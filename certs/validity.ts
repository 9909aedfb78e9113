const HOUR_MS = 60 * 60 * 1000;
const DAY_MS = 24 * HOUR_MS;

/**
 * How far `notBefore` lies in the past. The API server checks the certificate with its own clock, not with ours, and
 * refuses one from its future. One hour covers a node without time synchronisation and one that mistook its time zone's
 * summer time; beyond that, TLS to the API server itself stops working.
 */
const BACKDATE_MS = HOUR_MS;

/**
 * 90 days, renewed after 60: six times a year the whole way of a rotation is gone, so that it is a habit and not an event, and
 * 30 days remain when something is in its way.
 */
export const CA_LIFE_MS = 90 * DAY_MS;

/**
 * 14 days, renewed after a good 9 (two thirds): 40 renewals a year, and more than 4 days remain for a human when renewing
 * fails. A CA has 30 days left when it is renewed, so no serving certificate outlives its CA.
 */
export const SERVING_LIFE_MS = 14 * DAY_MS;

/** The time in which a certificate holds. */
export interface Validity {
  readonly notBefore: Date;
  readonly notAfter: Date;
}

/** Gives the validity of a certificate that is issued now and lives for `lifeMs` from now on. */
export function validityFrom(now: Date, lifeMs: number): Validity {
  return { notBefore: new Date(now.getTime() - BACKDATE_MS), notAfter: new Date(now.getTime() + lifeMs) };
}

/** Gives when one of our certificates was issued. */
export function issuedAt({ notBefore }: Validity): Date {
  return new Date(notBefore.getTime() + BACKDATE_MS);
}

/** Says whether two thirds of a validity have passed: the time at which a certificate is renewed. */
export function isDueForRenewal({ notBefore, notAfter }: Validity, now: Date): boolean {
  const due = notBefore.getTime() + ((notAfter.getTime() - notBefore.getTime()) * 2) / 3;
  return now.getTime() >= due;
}

/** Says whether a validity has ended. */
export function isExpired({ notAfter }: Validity, now: Date): boolean {
  return now.getTime() > notAfter.getTime();
}

/** Says whether a validity lies in the future. */
export function isNotYetValid({ notBefore }: Validity, now: Date): boolean {
  return now.getTime() < notBefore.getTime();
}
