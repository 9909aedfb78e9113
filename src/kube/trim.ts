import type * as z from "zod";
import {
  INHERITED_ANNOTATION,
  LIMIT_ANNOTATION,
  REQUESTED_LIMIT_ANNOTATION,
  RETAIN_ANNOTATION,
  ROOM_ANSWER_ANNOTATION,
  VOLUME_LIMIT_ANNOTATION,
} from "./keys.ts";
import type { Metadata } from "./objects.ts";

const KEPT_ANNOTATIONS: readonly string[] = [
  INHERITED_ANNOTATION,
  LIMIT_ANNOTATION,
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
    const annotations = Object.fromEntries(
      Object.entries(metadata.annotations ?? {}).filter(([key]) => keptAnnotations.includes(key)),
    );
    return { ...parsed.data, metadata: { ...metadata, annotations } };
  };
}
