const HOUR_MS = 60 * 60 * 1000;
const DAY_MS = 24 * HOUR_MS;

/**
 * How far `notBefore` lies in the past. The API server checks the certificate with its own clock, not with ours, and
 * refuses one from its future. One hour covers a node without time synchronisation and one that mistook its time zone's
 * summer time; beyond that, TLS to the API server itself stops working.
 */
const BACKDATE_MS = HOUR_MS;

/** One year: short enough to be renewed in the life of any cluster, so that renewal is a habit and not an event. */
export const CA_LIFE_MS = 365 * DAY_MS;

/**
 * 30 days, renewed after 20 (two thirds): 18 renewals a year keep rotation exercised, and 10 days remain for a human
 * when renewing fails. A CA has 365 / 3 = 121 days left when it is renewed, so no serving certificate outlives its CA.
 */
export const SERVING_LIFE_MS = 30 * DAY_MS;

/** The time in which a certificate holds. */
export interface Validity {
  readonly notBefore: Date;
  readonly notAfter: Date;
}

/** Gives the validity of a certificate that is issued now and lives for `lifeMs` from now on. */
export function validityFrom(now: Date, lifeMs: number): Validity {
  return { notBefore: new Date(now.getTime() - BACKDATE_MS), notAfter: new Date(now.getTime() + lifeMs) };
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
