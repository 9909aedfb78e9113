import type * as z from "zod";
import {
  DELETION_SECRET_NAME_ANNOTATION,
  DELETION_SECRET_NAMESPACE_ANNOTATION,
  GROUP_HANDLE_ANNOTATION,
  INHERITED_ANNOTATION,
  LIMIT_ANNOTATION,
  RELEASED_ANNOTATION,
  RELEASED_AT_ANNOTATION,
  REQUESTED_LIMIT_ANNOTATION,
  RETAIN_ANNOTATION,
  ROOM_ANSWER_ANNOTATION,
  VOLUME_LIMIT_ANNOTATION,
} from "./keys.ts";
import type { Metadata } from "./objects.ts";

const KEPT_ANNOTATIONS: readonly string[] = [
  DELETION_SECRET_NAME_ANNOTATION,
  DELETION_SECRET_NAMESPACE_ANNOTATION,
  GROUP_HANDLE_ANNOTATION,
  INHERITED_ANNOTATION,
  LIMIT_ANNOTATION,
  RELEASED_ANNOTATION,
  RELEASED_AT_ANNOTATION,
  REQUESTED_LIMIT_ANNOTATION,
  RETAIN_ANNOTATION,
  ROOM_ANSWER_ANNOTATION,
  VOLUME_LIMIT_ANNOTATION,
];

/**
 * A trimmer for cached objects: only the fields of the view stay, and of the annotations only those that are read, since
 * others' (kubectl's last-applied) may be many times larger than everything we read.
 */
export function trimTo<T extends { metadata: Metadata }>(
  view: z.ZodType<T>,
  keptAnnotations: readonly string[] = KEPT_ANNOTATIONS,
): (object: unknown) => T | undefined {
  return (object) => {
    const parsed = view.safeParse(object);
    if (!parsed.success) {
      return undefined;
    }
    const { metadata } = parsed.data;
    // Parsing made a new object.
    metadata.annotations = annotationsOf(metadata, (key) => keptAnnotations.includes(key));
    return parsed.data;
  };
}

// What most cached objects have: one object for all of them.
const NONE: Record<string, string> = Object.freeze({});

/** The annotations with such a key; a loop, since a list of entries for each object of a large cluster is to be collected again. */
export function annotationsOf(
  { annotations }: Pick<Metadata, "annotations">,
  isKept: (key: string) => boolean,
): Record<string, string> {
  let kept = NONE;
  for (const key of Object.keys(annotations ?? {})) {
    const value = annotations?.[key];
    if (value === undefined || !isKept(key)) continue;
    if (kept === NONE) kept = {};
    kept[key] = value;
  }
  return kept;
}
