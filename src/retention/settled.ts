import type { RetentionPolicy } from "../policy/schema.ts";
import type { Entry, Place } from "./entry.ts";
import type { Action } from "./plan.ts";
import type { Recall } from "./recall.ts";
import type { SpokenVolume } from "./verdicts.ts";

/** A volume about which there is nothing to do and nothing to say, whatever the time, while its snapshots are the same. */
export interface SettledVolume extends SpokenVolume {
  readonly entries: readonly Entry[];
  /** The one volume on the storage that all of them were taken of. */
  readonly stored: string;
}

/** Tells the volumes that are as they were from the snapshots that have to be judged. `entries`: newest first. */
export function divide(
  entries: readonly Entry[],
  places: readonly Place[],
  recall: Pick<Recall, "volumeOf">,
): { readonly settled: readonly SettledVolume[]; readonly open: readonly Entry[] } {
  const volumes = [...Map.groupBy(entries, keyOf)];
  const known = volumes.map(([key, ofVolume]) => recall.volumeOf(key, ofVolume));
  const wanted = new Set(places.map(({ volumeKey }) => volumeKey));
  // A volume on the storage may be known by two names: where one of them has to be judged, both are.
  const shared = new Set(places.map(({ stored }) => stored));
  for (const [index, [, ofVolume]] of volumes.entries()) {
    if (known[index] === undefined) for (const { snapshot } of ofVolume) shared.add(snapshot.stored);
  }
  const settled = known
    .filter((volume) => volume !== undefined)
    .filter(({ plan, stored }) => !wanted.has(plan.volumeKey) && !shared.has(stored));
  const keys = new Set(settled.map(({ plan }) => plan.volumeKey));
  return { settled, open: entries.filter((entry) => !keys.has(keyOf(entry))) };
}

function keyOf({ snapshot }: Entry): string {
  return snapshot.volumeKey;
}

/** What decides whether a volume is settled. */
export interface Settling {
  readonly policy: RetentionPolicy;
  readonly places: readonly Place[];
  readonly actions: readonly Action[];
  readonly recall: Pick<Recall, "isSteady">;
}

/** Those of the volumes just judged that need not be judged again while their snapshots are the same. */
export function settledOf(
  volumes: readonly (SpokenVolume & { readonly entries: readonly Entry[] })[],
  { policy, places, actions, recall }: Settling,
): SettledVolume[] {
  // By age, a judgement holds for a while only.
  if (policy.minAge !== undefined || policy.maxAge !== undefined) {
    return [];
  }
  const busy = new Set(actions.map(({ key }) => key));
  const wanted = new Set(places.map(({ stored }) => stored));
  return volumes.flatMap((volume) => {
    const stored = volume.entries[0]?.snapshot.stored ?? "";
    const isSettled =
      !wanted.has(stored) &&
      volume.verdicts.every(({ kept, held }) => kept && held === undefined) &&
      volume.entries.every(
        (entry) =>
          entry.snapshot.stored === stored && !busy.has(entry.snapshot.name) && recall.isSteady(entry),
      );
    return isSettled ? [{ ...volume, stored }] : [];
  });
}
