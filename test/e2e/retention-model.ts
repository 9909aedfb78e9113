/** What the policy promises of one volume, as simply as it can be said: the snapshots retained, oldest first. */
export interface VolumeModel {
  readonly retained: readonly RetainedModel[];
}

/** One retained snapshot. */
export interface RetainedModel {
  readonly handle: string;
  readonly backup: string;
  readonly pinned: boolean;
}

/** A volume of which nothing was kept yet. */
export const EMPTY: VolumeModel = { retained: [] };

/** Room for one more: with a number of 0 nothing is going to be kept, so nothing has to go either but what the number says. */
export function makeRoom(volume: VolumeModel, number: number): VolumeModel {
  return number === 0 ? prune(volume, 0) : drop(volume, number - 1, number === 1);
}

/** A snapshot whose data was copied. */
export function retain(volume: VolumeModel, kept: RetainedModel, number: number): VolumeModel {
  return number === 0 ? volume : prune({ retained: [...volume.retained, kept] }, number);
}

/** The number was set. */
export function prune(volume: VolumeModel, number: number): VolumeModel {
  return drop(volume, number, number === 0);
}

/** Its Backup was deleted: pins do not hold what its owner has deleted. */
export function forget(volume: VolumeModel, backup: string): VolumeModel {
  return { retained: volume.retained.filter((kept) => kept.backup !== backup) };
}

/** A snapshot was pinned, or is no longer. */
export function pin(volume: VolumeModel, handle: string, pinned: boolean): VolumeModel {
  return { retained: volume.retained.map((kept) => (kept.handle === handle ? { ...kept, pinned } : kept)) };
}

/** The oldest go until `number` are left; never a pinned one, nor the newest unless that one may go too. */
function drop(volume: VolumeModel, number: number, newestToo: boolean): VolumeModel {
  let excess = volume.retained.length - number;
  const newest = volume.retained.length - 1;
  const retained = volume.retained.filter(({ pinned }, index) => {
    const goes = excess > 0 && !pinned && (newestToo || index < newest);
    excess -= goes ? 1 : 0;
    return !goes;
  });
  return { retained };
}
