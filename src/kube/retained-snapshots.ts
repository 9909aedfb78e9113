import { readInherited } from "../admission/inherited.ts";
import type { ClaimName } from "../admission/lookup.ts";
import type { Signer } from "../admission/signer.ts";
import { RETAINED_LABEL } from "./keys.ts";
import { valueOf } from "./objects.ts";
import type { Metadata } from "./objects.ts";

/** Which contents are retained of each claim, by the documents on them. */
export interface RetainedSnapshots {
  /** Takes note of a VolumeSnapshotContent as it is now, or of its deletion. */
  update(content: Metadata | undefined, before: Metadata | undefined): void;
  /** Names of the contents; in the order in which they were seen. */
  namesOf(claim: ClaimName): readonly string[];
}

/**
 * An index over watched contents: names alone, since a restore without a retained snapshot must be told so at once, and
 * the contents are cached already.
 */
export function createRetainedSnapshots(signer: Signer): RetainedSnapshots {
  const claims = new Map<string, Set<string>>();
  /** Where a name was put, since what its content said before may no longer be read from it. */
  const places = new Map<string, string>();
  function remove(name: string): void {
    const key = places.get(name) ?? "";
    const names = claims.get(key);
    names?.delete(name);
    if (names?.size === 0) {
      claims.delete(key);
    }
    places.delete(name);
  }
  return {
    update(content, before) {
      remove(before?.name ?? "");
      const claim = retainedClaim(content, signer);
      if (content?.name !== undefined && claim !== undefined) {
        const key = keyOf(claim);
        places.set(content.name, key);
        claims.set(key, (claims.get(key) ?? new Set<string>()).add(content.name));
      }
    },
    namesOf: (claim) => [...(claims.get(keyOf(claim)) ?? [])],
  };
}

/** Other data mover plugins' snapshots may be of volumes that are no claims. */
function retainedClaim(content: Metadata | undefined, signer: Signer): ClaimName | undefined {
  if (valueOf(content?.labels, RETAINED_LABEL) !== "true") {
    return undefined;
  }
  const volume = readInherited(content, signer)?.volume;
  return volume?.namespace === undefined ? undefined : { namespace: volume.namespace, name: volume.name };
}

function keyOf({ namespace, name }: ClaimName): string {
  return `${namespace}/${name}`;
}
