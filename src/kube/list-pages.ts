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

/** Objects a page: kubectl's own size. With 200 the API server takes half as long again for all of a large collection. */
const PAGE = 500;

const PATIENCE_MS = 60_000;

const Page = z.object({
  metadata: z.object({ resourceVersion: z.string().optional(), continue: z.string().optional() }).nullish(),
  items: z.array(z.unknown()).nullish(),
});

/**
 * Reads a whole collection page by page, so that no more than two pages are in memory; resolves with the version that a
 * watch can go on from.
 */
export async function listPages(listing: Listing, onItem: (item: unknown) => void): Promise<string> {
  let resourceVersion = "";
  let coming: Promise<unknown> | undefined = readPage(listing, undefined);
  while (coming !== undefined) {
    const page = Page.parse(await coming);
    resourceVersion = page.metadata?.resourceVersion ?? resourceVersion;
    const next = page.metadata?.continue;
    // The API server makes the next one meanwhile.
    coming = next === undefined || next === "" ? undefined : readPage(listing, next);
    // Whatever else goes wrong before it is waited for: what became of it must not end the process.
    coming?.catch(() => undefined);
    for (const item of page.items ?? []) onItem(item);
  }
  return resourceVersion;
}

async function readPage(listing: Listing, next: string | undefined): Promise<unknown> {
  const path = collectionPath(listing, { limit: String(PAGE), continue: next });
  const signal = AbortSignal.any([listing.signal, AbortSignal.timeout(listing.patienceMs ?? PATIENCE_MS)]);
  return listing.rest.call("GET", path, { signal });
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
