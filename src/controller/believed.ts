import { isDeepStrictEqual } from "node:util";
import { readInherited } from "../admission/inherited.ts";
import type { Inherited } from "../admission/inherited.ts";
import type { Signer } from "../admission/signer.ts";
import { INHERITED_ANNOTATION } from "../kube/keys.ts";
import type { Metadata } from "../kube/objects.ts";
import { createRecent } from "../kube/recent.ts";
import { annotationsOf } from "../kube/trim.ts";

const DOCUMENT = Symbol("document");

/** Metadata with the document that was on the object, if it was believed. */
interface Believed extends Metadata {
  [DOCUMENT]?: Inherited;
}

/** Documents remembered at once: a content and its DataUpload come by two watches, one of which may be ahead. */
const MOST = 20_000;

/**
 * Checks each object's document once, when it comes in, and keeps it in place of its text, which is the largest part of it; where
 * a content and its DataUpload have the same one, it is kept once. What it returns changes the object that it is given, of which
 * nobody else knows yet. `share` is told of each document that is new.
 */
export function createDocumentKeeper(
  signer: Signer,
  share: (document: Inherited) => void,
): <T extends { readonly metadata: Metadata }>(object: T) => T {
  const recent = createRecent<Inherited>(MOST);
  function kept(document: Inherited): Inherited {
    const known = recent.get(document.alias);
    if (known !== undefined && isDeepStrictEqual(known, document)) return known;
    share(document);
    recent.set(document.alias, document);
    return document;
  }
  return (object) => {
    const metadata: Believed = object.metadata;
    const document = readInherited(metadata, signer);
    if (metadata.annotations?.[INHERITED_ANNOTATION] !== undefined) {
      metadata.annotations = annotationsOf(metadata, (key) => key !== INHERITED_ANNOTATION);
    }
    if (document !== undefined) metadata[DOCUMENT] = kept(document);
    return object;
  };
}

/** The document of an object that a keeper has seen. */
export function keptDocument(metadata: Believed): Inherited | undefined {
  return metadata[DOCUMENT];
}
