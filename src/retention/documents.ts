import { readInherited } from "../admission/inherited.ts";
import type { Inherited } from "../admission/inherited.ts";
import type { Signer } from "../admission/signer.ts";
import type { Metadata } from "../kube/objects.ts";
import type { DocumentReader } from "./world.ts";

/**
 * A reader that checks each signature once: verifying thousands of documents takes longer than a whole plan. It goes
 * by the metadata object itself, so a cache must hand out a new one when an object changed.
 */
export function rememberDocuments(signer: Signer): DocumentReader {
  const known = new WeakMap<Metadata, { readonly document: Inherited | undefined }>();
  return (metadata) => {
    const before = known.get(metadata);
    if (before !== undefined) {
      return before.document;
    }
    const document = readInherited(metadata, signer);
    known.set(metadata, { document });
    return document;
  };
}

/** Believes every document: for dumps, where there is no key. Who uses this has to say so. */
export const UNVERIFIED: Signer = { sign: () => "", verify: () => true };
