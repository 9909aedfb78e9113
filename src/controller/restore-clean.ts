import { BEING_DELETED_ANNOTATION } from "../kube/keys.ts";
import type { Metadata } from "../kube/objects.ts";
import { referenceTo } from "../retention/objects.ts";
import type { Cleaning } from "../restore/leftovers.ts";
import { abandon, pathOfClaim, unhold } from "./restore-volumes.ts";
import { contentPath, snapshotPath } from "./writes.ts";
import type { Change, Writes } from "./writes.ts";

/** Does one step of cleaning up. */
export async function applyCleaning(cleaning: Cleaning, writes: Writes): Promise<void> {
  switch (cleaning.kind) {
    case "unhold":
      return unhold(cleaning, writes);
    case "abandon":
      return abandon(cleaning.volume, writes);
    case "delete_claim":
      return writes.remove(pathOfClaim(cleaning.claim), referenceTo(cleaning.claim));
    case "delete_snapshot": {
      const { namespace = "", name = "" } = cleaning.snapshot;
      return writes.remove(snapshotPath({ namespace, name }), referenceTo(cleaning.snapshot));
    }
    case "mark_content":
      return patchContent(cleaning.content, writes, {
        metadata: { annotations: { [BEING_DELETED_ANNOTATION]: "yes" } },
      });
    case "keep_snapshot":
      return patchContent(cleaning.content, writes, { spec: { deletionPolicy: "Retain" } });
    case "delete_content":
      return writes.remove(contentPath(cleaning.content.name), referenceTo(cleaning.content));
  }
}

async function patchContent(content: Metadata, writes: Writes, change: Change): Promise<void> {
  await writes.patch(contentPath(content.name), referenceTo(content), change);
}
