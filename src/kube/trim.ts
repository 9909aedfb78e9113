import type { z } from "zod";
import { INHERITED_ANNOTATION, LIMIT_ANNOTATION, REQUESTED_LIMIT_ANNOTATION } from "./keys.ts";
import type { Metadata } from "./objects.ts";

const KEPT_ANNOTATIONS: readonly string[] = [
  INHERITED_ANNOTATION,
  LIMIT_ANNOTATION,
  REQUESTED_LIMIT_ANNOTATION,
];

/**
 * A trimmer for cached objects: only the fields of the view stay, and of the annotations only ours, since
 * others' (kubectl's last-applied) may be many times larger than everything we read.
 */
export function trimTo<T extends { metadata: Metadata }>(
  view: z.ZodType<T>,
): (object: unknown) => T | undefined {
  return (object) => {
    const parsed = view.safeParse(object);
    if (!parsed.success) {
      return undefined;
    }
    const { metadata } = parsed.data;
    const annotations = Object.fromEntries(
      Object.entries(metadata.annotations ?? {}).filter(([key]) => KEPT_ANNOTATIONS.includes(key)),
    );
    return { ...parsed.data, metadata: { ...metadata, annotations } };
  };
}
