import * as z from "zod";
import type { Rest } from "./rest.ts";

/** Which collection to read. */
export interface Listing {
  readonly rest: Pick<Rest, "call">;
  /** Collection path, such as /apis/velero.io/v1/backups. */
  readonly path: string;
  readonly labelSelector?: string;
  readonly fieldSelector?: string;
  readonly signal: AbortSignal;
  /** How long to wait for a page, in milliseconds; a minute where left out, after which the API server itself gives up. */
  readonly patienceMs?: number;
}

/**
 * Objects a page. The API server's own chunk size for kubectl is 500: what a page leaves behind then outlives the young
 * generation, and the heap grows with it.
 */
const PAGE = 200;

const PATIENCE_MS = 60_000;

const Page = z.object({
  metadata: z.object({ resourceVersion: z.string().optional(), continue: z.string().optional() }).nullish(),
  items: z.array(z.unknown()).nullish(),
});

/**
 * Reads a whole collection page by page, so that no more than one page is in memory; resolves with the version that a
 * watch can go on from.
 */
export async function listPages(listing: Listing, onItem: (item: unknown) => void): Promise<string> {
  let resourceVersion = "";
  let next: string | undefined;
  do {
    const path = collectionPath(listing, { limit: String(PAGE), continue: next });
    const signal = AbortSignal.any([listing.signal, AbortSignal.timeout(listing.patienceMs ?? PATIENCE_MS)]);
    const page = Page.parse(await listing.rest.call("GET", path, { signal }));
    for (const item of page.items ?? []) onItem(item);
    resourceVersion = page.metadata?.resourceVersion ?? resourceVersion;
    next = page.metadata?.continue;
  } while (next !== undefined && next !== "");
  return resourceVersion;
}

/** The path of a collection with its selectors and a query. */
export function collectionPath(
  { path, labelSelector, fieldSelector }: Pick<Listing, "path" | "labelSelector" | "fieldSelector">,
  query: Readonly<Record<string, string | undefined>>,
): string {
  const given = Object.entries({ labelSelector, fieldSelector, ...query }).filter(
    (entry): entry is [string, string] => entry[1] !== undefined,
  );
  return `${path}?${new URLSearchParams(given).toString()}`;
}
