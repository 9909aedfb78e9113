import * as z from "zod";
import { Metadata } from "./objects.ts";

/** coordination.k8s.io/v1 Lease: the fields that we read. */
export const Lease = z.object({
  metadata: Metadata,
  spec: z
    .object({
      holderIdentity: z.string().nullish(),
      leaseDurationSeconds: z.number().nullish(),
      acquireTime: z.string().nullish(),
      renewTime: z.string().nullish(),
      leaseTransitions: z.number().nullish(),
    })
    .nullish(),
});
export type Lease = z.infer<typeof Lease>;

/** How long a holder that says nothing more keeps the Lease, in seconds; client-go's default, as the two below. */
export const LEASE_SECONDS = 15;
/** A leader that could not renew for this long stops acting: five seconds before anybody else may begin. */
export const RENEW_DEADLINE_MS = 10_000;
/** Between two looks at a Lease that others hold, and after an attempt that failed. */
export const RETRY_MS = 2_000;
/** Between two renewals: two of them may fail before the deadline. */
export const RENEW_MS = 5_000;

/** What this process has seen of the Lease; times are of its own monotonic clock, in milliseconds. */
export interface Observed {
  /** The record last seen, and when it was first seen like that. */
  readonly record?: { readonly text: string; readonly at: number };
  /** Set while we lead. */
  readonly held?: Held;
}

/** One term: from taking the Lease to losing it. */
export interface Held {
  /** The number of the term; nobody else ever has the same. */
  readonly transitions: number;
  /** When the last renewal that succeeded was sent. */
  readonly renewedAt: number;
}

/** What to do about the Lease now. */
export type LeaseStep =
  | { readonly kind: "acquire"; readonly transitions: number }
  | { readonly kind: "renew"; readonly transitions: number }
  | { readonly kind: "wait"; readonly until: number }
  | { readonly kind: "lost"; readonly reason: string };

/** Takes note of the Lease as it was read; undefined where there is none. */
export function observe(observed: Observed, lease: Lease | undefined, now: number): Observed {
  const text = JSON.stringify(lease?.spec ?? null);
  return observed.record?.text === text ? observed : { ...observed, record: { text, at: now } };
}

/**
 * What `self` does about a Lease that it has just read and observed, at `now` of its own monotonic clock. Whether a
 * holder has gone is measured by when we last saw the record change, never by the times in it: clocks may differ.
 *
 * | we lead | holder          | then                                                       |
 * | ------- | --------------- | ---------------------------------------------------------- |
 * | yes     | we, same term   | lost after the renewal deadline, else renew when it is time |
 * | yes     | anything else   | lost                                                       |
 * | no      | nobody, or we   | acquire                                                    |
 * | no      | somebody else   | acquire when the record stood still for its duration       |
 */
export function decideLeaseStep(
  lease: Lease | undefined,
  self: string,
  observed: Observed,
  now: number,
): LeaseStep {
  const { holder, transitions, seconds } = recordOf(lease);
  if (observed.held !== undefined) {
    return decideAsLeader(observed.held, { ours: holder === self, holder, transitions }, now);
  }
  // A holder of our own name without a term is a write of ours whose answer never came.
  if (holder === "" || holder === self) {
    return { kind: "acquire", transitions: transitions + 1 };
  }
  const until = (observed.record?.at ?? now) + seconds * 1000;
  return now >= until
    ? { kind: "acquire", transitions: transitions + 1 }
    : { kind: "wait", until: Math.min(until, now + RETRY_MS) };
}

/** Whether a Lease as read is still that of our own term: the fence before whatever cannot be undone. */
export function isHeldBy(lease: Lease | undefined, self: string, held: Held): boolean {
  const { holder, transitions } = recordOf(lease);
  return holder === self && transitions === held.transitions;
}

function recordOf(lease: Lease | undefined): { holder: string; transitions: number; seconds: number } {
  const spec = lease?.spec;
  return {
    holder: spec?.holderIdentity ?? "",
    transitions: spec?.leaseTransitions ?? 0,
    seconds: spec?.leaseDurationSeconds ?? LEASE_SECONDS,
  };
}

interface Found {
  readonly ours: boolean;
  readonly holder: string;
  readonly transitions: number;
}

function decideAsLeader(held: Held, { ours, holder, transitions }: Found, now: number): LeaseStep {
  if (!ours || transitions !== held.transitions) {
    return { kind: "lost", reason: `the Lease is held by "${holder}" in term ${transitions}` };
  }
  if (now - held.renewedAt >= RENEW_DEADLINE_MS) {
    return { kind: "lost", reason: `not renewed for ${Math.round((now - held.renewedAt) / 1000)} s` };
  }
  return now - held.renewedAt >= RENEW_MS
    ? { kind: "renew", transitions }
    : { kind: "wait", until: held.renewedAt + RENEW_MS };
}

/** The spec of a Lease that is held or renewed now; `at` is the wall clock, for people and other clients. */
export function heldSpec(self: string, step: { readonly transitions: number }, at: Date): object {
  const time = microTime(at);
  return {
    holderIdentity: self,
    leaseDurationSeconds: LEASE_SECONDS,
    renewTime: time,
    leaseTransitions: step.transitions,
  };
}

/** The spec of a Lease that is given up: whoever looks next may take it. */
export function releasedSpec(held: Held, at: Date): object {
  return {
    holderIdentity: "",
    leaseDurationSeconds: 1,
    renewTime: microTime(at),
    leaseTransitions: held.transitions,
  };
}

/** Kubernetes' MicroTime: exactly six digits after the point. */
export function microTime(at: Date): string {
  return at.toISOString().replace("Z", "000Z");
}
