import { readInherited } from "../admission/inherited.ts";
import type { Inherited } from "../admission/inherited.ts";
import type { Signer } from "../admission/signer.ts";
import { INHERITED_ANNOTATION } from "../kube/keys.ts";
import type { Metadata } from "../kube/objects.ts";
import { annotationsOf } from "../kube/trim.ts";

const DOCUMENT = Symbol("document");

/** Metadata with the document that was on the object, if it was believed. */
interface Believed extends Metadata {
  [DOCUMENT]?: Inherited;
}

/**
 * Checks an object's document once, when it comes in, and keeps it in place of its text, which is the largest part of it. Changes
 * the object that it is given, of which nobody else knows yet.
 */
export function keepDocument<T extends { readonly metadata: Metadata }>(object: T, signer: Signer): T {
  const metadata: Believed = object.metadata;
  const document = readInherited(metadata, signer);
  if (metadata.annotations?.[INHERITED_ANNOTATION] !== undefined) {
    metadata.annotations = annotationsOf(metadata, (key) => key !== INHERITED_ANNOTATION);
  }
  if (document !== undefined) metadata[DOCUMENT] = document;
  return object;
}

/** The document of an object that `keepDocument` has seen. */
export function keptDocument(metadata: Believed): Inherited | undefined {
  return metadata[DOCUMENT];
}
