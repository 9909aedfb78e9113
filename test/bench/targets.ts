/** A target, and what was measured of it, by where. */
export interface Target {
  readonly target: string;
  readonly measured: readonly Measured[];
  /** Whether a value is as the target wants it. */
  readonly isMet: (value: number) => boolean;
  /** How a value is written out; with two digits where left out. */
  readonly write?: (value: number) => string;
}

interface Measured {
  readonly where: string;
  readonly value: number;
}

/** The row of a table: the target, and whether it is met, with all values that miss it, or the worst that does not. */
export function judged({ target, measured, isMet, write = (value) => value.toFixed(2) }: Target): string[] {
  const missed = measured.filter(({ value }) => !isMet(value));
  function told(of: readonly Measured[]): string {
    return of
      .map(({ where, value }) => [where, write(value)].filter((word) => word !== "").join(": "))
      .join("; ");
  }
  if (missed.length === 0)
    return [target, measured.length > 3 ? `met in all ${measured.length}` : `met: ${told(measured)}`];
  const [all, some] = [
    `**missed**: ${told(missed)}`,
    `**missed** in ${missed.length} of ${measured.length}: ${told(missed)}`,
  ];
  return [target, measured.length === 1 ? all : some];
}
