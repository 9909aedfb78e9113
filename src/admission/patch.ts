import type { StringMap } from "../kube/objects.ts";
import { escapePointer } from "./json-pointer.ts";

/** One operation of a JSON Patch (RFC 6902). */
export type PatchOperation =
  | { readonly op: "add" | "replace"; readonly path: string; readonly value: unknown }
  | { readonly op: "remove"; readonly path: string };

/** What an object's labels, annotations, spec and finalizers should be; an undefined value removes the key. */
export interface Edits {
  readonly labels?: Readonly<Record<string, string | undefined>>;
  readonly annotations?: Readonly<Record<string, string | undefined>>;
  readonly spec?: Readonly<Record<string, unknown>>;
  /** To be there; others stay. */
  readonly finalizers?: readonly string[];
}

/** The parts of an object that edits are compared with. */
export interface Editable {
  readonly metadata: {
    readonly labels?: StringMap | null | undefined;
    readonly annotations?: StringMap | null | undefined;
    readonly finalizers?: readonly string[] | null | undefined;
  };
  readonly spec?: Readonly<Record<string, unknown>> | null | undefined;
}

/**
 * The fewest operations that bring an object to its edits: none where it is there already, so that a second
 * pass over the result is a no-op. Parents are created where absent; `~` and `/` in keys are escaped.
 */
export function patchFor(object: Editable, edits: Edits): PatchOperation[] {
  return [
    ...mapOperations("/metadata/labels", object.metadata.labels, edits.labels),
    ...mapOperations("/metadata/annotations", object.metadata.annotations, edits.annotations),
    ...mapOperations("/spec", object.spec, edits.spec),
    ...listOperations("/metadata/finalizers", object.metadata.finalizers, edits.finalizers),
  ];
}

function listOperations(
  path: string,
  current: readonly string[] | null | undefined,
  wanted: readonly string[] = [],
): PatchOperation[] {
  const missing = wanted.filter((value) => current?.includes(value) !== true);
  if (missing.length === 0) {
    return [];
  }
  return current === null || current === undefined
    ? [{ op: "add", path, value: missing }]
    : missing.map((value) => ({ op: "add", path: `${path}/-`, value }));
}

function mapOperations(
  path: string,
  current: Readonly<Record<string, unknown>> | null | undefined,
  edits: Readonly<Record<string, unknown>> | undefined,
): PatchOperation[] {
  if (edits === undefined) {
    return [];
  }
  if (current === null || current === undefined) {
    const wanted = Object.entries(edits).filter(([, value]) => value !== undefined);
    return wanted.length === 0 ? [] : [{ op: "add", path, value: Object.fromEntries(wanted) }];
  }
  const operations: PatchOperation[] = [];
  for (const key of Object.keys(edits)) {
    const exists = Object.hasOwn(current, key);
    if ((exists ? current[key] : undefined) !== edits[key]) {
      operations.push(operation(`${path}/${escapePointer(key)}`, exists, edits[key]));
    }
  }
  return operations;
}

function operation(path: string, exists: boolean, value: unknown): PatchOperation {
  if (value === undefined) {
    return { op: "remove", path };
  }
  return { op: exists ? "replace" : "add", path, value };
}
