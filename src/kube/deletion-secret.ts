import { DELETION_SECRET_NAME_ANNOTATION, DELETION_SECRET_NAMESPACE_ANNOTATION } from "./keys.ts";
import { valueOf } from "./objects.ts";
import type { Metadata, StringMap } from "./objects.ts";

/** The Secret that a CSI driver needs to find or free a snapshot, by the names that our records have for it. */
export interface DeletionSecret {
  readonly deletionSecretName?: string | undefined;
  readonly deletionSecretNamespace?: string | undefined;
}

/** What a content's annotations say of it, by which the CSI sidecar finds it. */
export function deletionSecretOf(annotations: Metadata["annotations"]): DeletionSecret {
  return {
    deletionSecretName: valueOf(annotations, DELETION_SECRET_NAME_ANNOTATION),
    deletionSecretNamespace: valueOf(annotations, DELETION_SECRET_NAMESPACE_ANNOTATION),
  };
}

/** The annotations that say it; only what is known. */
export function secretAnnotations({
  deletionSecretName: name,
  deletionSecretNamespace: namespace,
}: DeletionSecret): StringMap {
  return {
    ...(name === undefined ? {} : { [DELETION_SECRET_NAME_ANNOTATION]: name }),
    ...(namespace === undefined ? {} : { [DELETION_SECRET_NAMESPACE_ANNOTATION]: namespace }),
  };
}
