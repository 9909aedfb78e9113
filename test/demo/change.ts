/** A line of a diff: there before and after, only after, or only before. */
export interface Change {
  readonly mark: " " | "+" | "-";
  readonly text: string;
}

/** The part of an object that admission may change. */
export interface Marked {
  readonly metadata: { readonly labels?: Strings; readonly annotations?: Strings };
}

type Strings = Readonly<Record<string, string>>;

/** The labels and annotations of an object as it was sent and as it is stored. */
export function changesBetween(sent: Marked, stored: Marked): Change[] {
  return [
    ...section("annotations:", sent.metadata.annotations, stored.metadata.annotations),
    ...section("labels:", sent.metadata.labels, stored.metadata.labels),
  ];
}

function section(heading: string, before: Strings = {}, after: Strings = {}): Change[] {
  const keys = [...new Set([...Object.keys(before), ...Object.keys(after)])].toSorted();
  const changes = keys.flatMap((key) => entry(key, before[key], after[key]));
  return changes.length === 0 ? [] : [{ mark: " ", text: heading }, ...changes];
}

function entry(key: string, before: string | undefined, after: string | undefined): Change[] {
  if (before === after) return [{ mark: " ", text: `  ${key}: ${before ?? ""}` }];
  const gone: Change[] = before === undefined ? [] : [{ mark: "-", text: `  ${key}: ${before}` }];
  return after === undefined ? gone : [...gone, { mark: "+", text: `  ${key}: ${after}` }];
}
