import { LEASE_SECONDS, observe } from "./lease.ts";
import type { Lease, Observed } from "./lease.ts";

/** Whether a retention controller is running, as its Lease tells. */
export interface ControllerLiveness {
  /** Takes note of the Lease as it is now; undefined where there is none. */
  update(lease: Lease | undefined): void;
  /** Whether somebody holds it, and renewed it within its duration. */
  alive(): boolean;
}

/** Clocks: intervals are measured by `monotonic` milliseconds, `wall` is milliseconds since 1970. */
export interface LivenessClocks {
  readonly monotonic: () => number;
  readonly wall: () => number;
}

/**
 * Not alive until a Lease was seen. A renewal counts from when it was seen here, since the clocks of two machines
 * differ. Only the first sight of a Lease has nothing to compare with: then its own time has to be a recent one, so that
 * what a controller left behind long ago does not pass for one that runs.
 */
export function createControllerLiveness({ monotonic, wall }: LivenessClocks): ControllerLiveness {
  let current: Lease | undefined;
  let observed: Observed = {};
  function durationOf(lease: Lease | undefined): number {
    return (lease?.spec?.leaseDurationSeconds ?? LEASE_SECONDS) * 1000;
  }
  function isRecent(lease: Lease): boolean {
    return Math.abs(wall() - Date.parse(lease.spec?.renewTime ?? "")) < durationOf(lease);
  }
  return {
    update(lease) {
      const isFirst = observed.record === undefined;
      const seenAt = isFirst && lease !== undefined && !isRecent(lease) ? -Infinity : monotonic();
      current = lease;
      observed = observe(observed, lease, seenAt);
    },
    alive() {
      const holder = current?.spec?.holderIdentity ?? "";
      const seenAt = observed.record?.at ?? -Infinity;
      return holder !== "" && monotonic() - seenAt < durationOf(current);
    },
  };
}
