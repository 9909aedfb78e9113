/** How fast a rotation goes from step to step, and how patient it is. */
export interface Pace {
  /** A CA is renewed after this time, however long it lives; undefined: when two thirds of its life have passed. */
  readonly rotateEveryMs: number | undefined;
  /** How long everything must have stood still before a step is taken that relies on it. */
  readonly settleMs: number;
  /** How long a replica that does not confirm is waited for. */
  readonly confirmWithinMs: number;
  /** How long an old CA stays trusted at least, once another one signs. */
  readonly keepOldMs: number;
  /** How long a replica that says nothing more counts as alive. */
  readonly leaseMs: number;
  /** How often everything is looked at, besides on every change. */
  readonly pollMs: number;
  /** The pause between two looks, however much changes. */
  readonly breathMs: number;
}

/**
 * Ten seconds of standing still are enough for every API server of a control plane to have heard of a webhook configuration
 * through its watch, which takes milliseconds. Ten minutes of patience are a fraction of the thirty days that a CA has left
 * when it is renewed. Five minutes an old CA is kept at least: for replicas of an older release, which confirm nothing.
 * Three looks fall into a Lease, so that two of them may fail; and into a minute, since the wall clock is to be looked at
 * that often: a timer of 60 days would be late by as long as a suspended machine slept.
 */
const USUAL: Pace = {
  rotateEveryMs: undefined,
  settleMs: 10_000,
  confirmWithinMs: 10 * 60_000,
  keepOldMs: 5 * 60_000,
  leaseMs: 60_000,
  pollMs: 20_000,
  breathMs: 1_000,
};

/**
 * Gives the usual pace, or one that fits a CA which is renewed every so many milliseconds: for drills and tests, in which
 * everything but the patience has to become shorter with it.
 */
export function paceOf(rotateEveryMs: number | undefined): Pace {
  if (rotateEveryMs === undefined) return USUAL;
  return {
    ...USUAL,
    rotateEveryMs,
    settleMs: Math.min(USUAL.settleMs, rotateEveryMs / 4),
    keepOldMs: Math.min(USUAL.keepOldMs, rotateEveryMs / 10),
    pollMs: Math.min(USUAL.pollMs, rotateEveryMs / 10),
    breathMs: Math.min(USUAL.breathMs, rotateEveryMs / 20),
  };
}
