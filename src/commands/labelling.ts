import { contentPath } from "../controller/writes.ts";
import { ApiError } from "../kube/rest.ts";
import type { Rest } from "../kube/rest.ts";
import { InvalidInput } from "../review/documents.ts";

/** Sets a label of a VolumeSnapshotContent, or removes it with null; says what is missing where that is not allowed. */
export async function labelContent(
  rest: Pick<Rest, "call">,
  name: string,
  labels: Readonly<Record<string, string | null>>,
): Promise<void> {
  try {
    await rest.call("PATCH", contentPath(name), {
      body: { metadata: { labels } },
      contentType: "application/merge-patch+json",
    });
  } catch (error) {
    if (error instanceof ApiError && error.status === 403) {
      throw new InvalidInput(
        `${name}: this user may not label it: ask for the right to patch volumesnapshotcontents.snapshot.storage.k8s.io`,
        { cause: error },
      );
    }
    if (error instanceof ApiError && error.status === 404) {
      throw new InvalidInput(`${name}: gone meanwhile; snapshot-retainer status shows what is there`, {
        cause: error,
      });
    }
    throw error;
  }
}
