import { isMap, isNode, isScalar, parseDocument } from "yaml";
import type { Document, Pair, YAMLMap } from "yaml";

/** A key of values.yaml with the comment above it. */
export interface DocumentedValue {
  readonly path: readonly string[];
  /** The comment, its lines joined; empty when there is none. */
  readonly text: string;
  /** A group's keys follow it in the list; a leaf has a value. */
  readonly value: { readonly kind: "group" } | { readonly kind: "leaf"; readonly default: unknown };
}

/**
 * Reads the keys of a values file in their order. A map is a group when the keys in it have comments; one without is a
 * leaf, whose shape is Kubernetes' business.
 */
export function readValuesComments(text: string): DocumentedValue[] {
  const document = parseDocument(text);
  if (!isMap(document.contents)) {
    throw new TypeError("the values file is not a map");
  }
  return readMap(document, document.contents, []);
}

function readMap(document: Document, map: YAMLMap, above: readonly string[]): DocumentedValue[] {
  return map.items.flatMap((pair, index) => {
    const path = [...above, keyOf(pair)];
    const text = commentOf(map, index);
    const { value } = pair;
    if (isMap(value) && isGroup(value)) {
      return [{ path, text, value: { kind: "group" } as const }, ...readMap(document, value, path)];
    }
    const given: unknown = isNode(value) ? value.toJS(document) : undefined;
    return [{ path, text, value: { kind: "leaf", default: given } as const }];
  });
}

function isGroup(map: YAMLMap): boolean {
  return map.items.some((_, index) => commentOf(map, index) !== "");
}

// The parser gives the comment above the first key of a map to the map, those above the others to their keys.
function commentOf(map: YAMLMap, index: number): string {
  const key = map.items[index]?.key;
  const own = isScalar(key) ? key.commentBefore : undefined;
  const comment = own ?? (index === 0 ? map.commentBefore : undefined) ?? "";
  return lastParagraph(comment).replaceAll(/\s+/g, " ").trim();
}

function lastParagraph(comment: string): string {
  return comment.split(/\n\s*\n/).at(-1) ?? "";
}

function keyOf(pair: Pair): string {
  return isScalar(pair.key) ? String(pair.key.value) : String(pair.key);
}
