/** The value below which a part (0 to 1) of the sorted values lies. */
export function percentile(sorted: Float64Array, part: number): number {
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))] ?? 0;
}

/** The middle one, as it was measured. */
export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? 0;
}

/** Three digits that matter, or a whole number. */
export function figure(value: number): string {
  const size = Math.abs(value);
  if (size >= 1_000) return Math.round(value).toLocaleString("en");
  if (size >= 100) return value.toFixed(0);
  return value.toFixed(size >= 10 ? 1 : 2);
}

/** `median (least–most)`; one value stands alone. */
export function spread(values: readonly number[]): string {
  const middle = figure(median(values));
  if (values.length < 2) return middle;
  return `${middle} (${figure(Math.min(...values))}–${figure(Math.max(...values))})`;
}

/** A row for each name: the spread of each of these figures over its rounds. */
export function spreadTable<T extends Readonly<Record<Figure, number>>, Figure extends string>(
  head: string,
  rounds: ReadonlyMap<string, readonly T[]>,
  columns: readonly { readonly title: string; readonly figure: Figure }[],
): string[][] {
  const rows = [...rounds].map(([name, ofName]) => [
    name,
    ...columns.map(({ figure }) => spread(ofName.map((round) => round[figure]))),
  ]);
  return [[head, ...columns.map(({ title }) => title)], ...rows];
}

/** Writes a line to standard output. */
export function print(line: string): void {
  process.stdout.write(`${line}\n`);
}
