import { readInherited } from "../admission/inherited.ts";
import type { Inherited } from "../admission/inherited.ts";
import type { Signer } from "../admission/signer.ts";
import { INHERITED_ANNOTATION } from "../kube/keys.ts";
import type { Metadata } from "../kube/objects.ts";

const DOCUMENT = Symbol("document");

/** Metadata with the document that was on the object, if it was believed. */
interface Believed extends Metadata {
  readonly [DOCUMENT]?: Inherited | undefined;
}

/** Checks an object's document once, when it comes in, and keeps it in place of its text, which is the largest part of it. */
export function keepDocument<T extends { readonly metadata: Metadata }>(object: T, signer: Signer): T {
  const document = readInherited(object.metadata, signer);
  const annotations = Object.entries(object.metadata.annotations ?? {}).filter(
    ([key]) => key !== INHERITED_ANNOTATION,
  );
  const metadata: Believed = {
    ...object.metadata,
    annotations: Object.fromEntries(annotations),
    ...(document && { [DOCUMENT]: document }),
  };
  return { ...object, metadata };
}

/** The document of an object that `keepDocument` has seen. */
export function keptDocument(metadata: Believed): Inherited | undefined {
  return metadata[DOCUMENT];
}
