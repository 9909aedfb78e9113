import { parseInherited, writeInherited } from "../../src/admission/inherited.ts";
import type { Inherited } from "../../src/admission/inherited.ts";
import { createSigner } from "../../src/admission/signer.ts";
import type { Signer } from "../../src/admission/signer.ts";
import { INHERITED_ANNOTATION } from "../../src/kube/keys.ts";
import { DRIVER, HANDLE } from "./objects.ts";

/** The signer of all tests: its key is fixed, so that goldens stay the same. */
export const SIGNER = createSigner(Buffer.alloc(32, 7));

/** The document on `aVolumeSnapshot` after admission. */
export function aDocument(overrides: Partial<Inherited> = {}): Inherited {
  const { backup, snapshot, labels, ...others }: Inherited = {
    version: 1,
    kind: "VolumeSnapshot",
    alias: "11111111-1111-4111-8111-111111111111",
    volumeName: "app.data",
    volume: { namespace: "app", name: "data" },
    backup: { namespace: "velero", name: "nightly-1" },
    labels: { "app.kubernetes.io/name": "shop", "velero.io/backup-name": "nightly-1" },
    ...overrides,
  };
  // In the order in which documents are written.
  return { ...others, ...(backup && { backup }), ...(snapshot && { snapshot }), labels };
}

/** The document on `aContent` after admission; the handle is what the storage says later. */
export function aContentDocument(overrides: Partial<Inherited> = {}): Inherited {
  return aDocument({
    kind: "VolumeSnapshotContent",
    snapshot: { driver: DRIVER, handle: HANDLE },
    labels: { "team.example/owner": "storage" },
    ...overrides,
  });
}

/** Annotations that hold a document, signed. */
export function annotated(document: Inherited, signer: Signer = SIGNER): Record<string, string> {
  return { [INHERITED_ANNOTATION]: writeInherited(document, signer) };
}

/** The document that a text holds; throws where it is not ours. */
export function documentIn(text: string | undefined): Inherited {
  const document = parseInherited(text ?? "", SIGNER);
  if (document === undefined) {
    throw new Error(`not a document of ours: ${text ?? "nothing"}`);
  }
  return document;
}
