import { deletionSecretOf } from "../kube/deletion-secret.ts";
import { GROUP_HANDLE_ANNOTATION, RELEASED_LABEL } from "../kube/keys.ts";
import { valueOf } from "../kube/objects.ts";
import type { VolumeSnapshotContent } from "../kube/objects.ts";
import type { RestoreSource } from "../restore/source.ts";
import { readInherited } from "./inherited.ts";
import type { ClaimName } from "./lookup.ts";
import type { Signer } from "./signer.ts";

/** A snapshot, as far as it is known which one it is. */
export interface WantedSnapshot {
  readonly alias: string | undefined;
  readonly driver: string | undefined;
  readonly handle: string | undefined;
}

/**
 * The content that stands for this snapshot of the claim: what its signed document says, what the object is, and what is
 * wanted agree in all that is known of them.
 */
export function contentOf(
  wanted: WantedSnapshot,
  claim: ClaimName,
  { candidates, signer }: { readonly candidates: readonly VolumeSnapshotContent[]; readonly signer: Signer },
): VolumeSnapshotContent | undefined {
  return candidates.find((content) => {
    const document = readInherited(content.metadata, signer);
    if (document?.volume.namespace !== claim.namespace || document.volume.name !== claim.name) {
      return false;
    }
    const { driver } = content.spec;
    const handle = handleOf(content);
    const { alias, snapshot } = document;
    return (
      agree(wanted.alias, alias) &&
      [wanted.driver, snapshot?.driver].every((known) => agree(known, driver)) &&
      [wanted.handle, snapshot?.handle].every((known) => agree(known, handle))
    );
  });
}

function agree(known: string | undefined, found: string | undefined): boolean {
  return known === undefined || known === found;
}

function handleOf({ spec, status }: VolumeSnapshotContent): string | undefined {
  return spec.source.snapshotHandle ?? status?.snapshotHandle;
}

/** Why a retained content cannot be restored from now; undefined where it can. */
export function flawOf(content: VolumeSnapshotContent): string | undefined {
  return FLAWS.find(([, has]) => has(content))?.[0];
}

const FLAWS: readonly (readonly [string, (content: VolumeSnapshotContent) => boolean])[] = [
  ["its snapshot is being deleted", isBeingDeleted],
  ["its snapshot would be deleted with its VolumeSnapshotContent, whose policy is not Retain", isNotRetained],
  ["its snapshot was taken with a VolumeGroupSnapshot", isGroupMember],
  ["its snapshot is not ready", isNotReady],
];

function isBeingDeleted({ metadata }: VolumeSnapshotContent): boolean {
  return (
    typeof metadata.deletionTimestamp === "string" || valueOf(metadata.labels, RELEASED_LABEL) !== undefined
  );
}

function isNotRetained({ spec }: VolumeSnapshotContent): boolean {
  return spec.deletionPolicy !== "Retain";
}

function isGroupMember({ metadata, status }: VolumeSnapshotContent): boolean {
  const group = status?.volumeGroupSnapshotHandle ?? valueOf(metadata.annotations, GROUP_HANDLE_ANNOTATION);
  return group !== undefined;
}

function isNotReady(content: VolumeSnapshotContent): boolean {
  return content.status?.readyToUse !== true || handleOf(content) === undefined;
}

/** What is needed to restore from a content of this cluster. */
export function localSource(content: VolumeSnapshotContent, signer: Signer): RestoreSource {
  const { metadata, spec } = content;
  return {
    name: metadata.name ?? "",
    driver: spec.driver,
    handle: handleOf(content) ?? "",
    local: true,
    backup: readInherited(metadata, signer)?.backup?.name,
    snapshotClass: spec.volumeSnapshotClassName ?? undefined,
    ...deletionSecretOf(metadata.annotations),
  };
}
