import type { IncomingMessage, RequestListener } from "node:http";
import { renderPage } from "../page/page.ts";
import { CONTENT_SECURITY_POLICY } from "../page/style.ts";
import { parseFilters } from "../page/view.ts";
import type { Movement, PageView } from "../page/view.ts";
import { reportOf } from "../plan/report.ts";
import type { RetentionPolicy } from "../policy/schema.ts";
import { decide } from "../retention/decide.ts";
import { timeOf } from "../retention/time.ts";
import type { Finder } from "../retention/relations.ts";
import type { World } from "../retention/world.ts";
import { isRead, servePages, targetOf } from "../server/pages.ts";
import type { Page } from "../server/pages.ts";

/** What the page is made from. */
export interface StatusPageOptions {
  /** The cluster as this replica sees it; undefined while it does not see all of it. */
  readonly world: () => World | undefined;
  /** Finds the objects of that world, where they are at hand: see `relate`. */
  readonly find?: Finder | undefined;
  readonly policy: () => RetentionPolicy | undefined;
  /** Where the policy is, for people. */
  readonly policyLocation: string;
  readonly leads: () => boolean;
  /** Milliseconds since 1970. */
  readonly now: () => number;
  /** Told of what kept the page from being made; whoever asked gets a 500. */
  readonly onFailure: (error: unknown) => void;
}

/** A plan of a large cluster takes a tenth of a second: whoever reloads all the time gets the one from before. */
const FRESH_MS = 2_000;

/**
 * The status page: read-only, and for this machine alone, as `kubectl port-forward` comes from there: it names what belongs to all
 * tenants. A name in `Host` that is not this machine's is another site's, which made a browser look here.
 */
export function createStatusPage(options: StatusPageOptions): RequestListener {
  let latest: PageView | undefined;
  function view(): PageView | undefined {
    if (latest === undefined || options.now() - latest.now > FRESH_MS) latest = look(options);
    return latest;
  }
  function page(request: IncomingMessage): Page {
    const { path, query } = targetOf(request);
    const refusal = refusalOf(request, path);
    if (refusal !== undefined) return plain(refusal);
    const seen = view();
    if (seen === undefined) return { ...plain(503), headers: { ...PLAIN, "retry-after": "2" } };
    return { status: 200, headers: HEADERS, body: renderPage(seen, parseFilters(query)) };
  }
  return servePages(page, (error) => {
    options.onFailure(error);
    return plain(500);
  });
}

const REFUSALS = {
  404: "not found",
  405: "read-only",
  421: "open it as localhost: kubectl port-forward",
  500: "this page could not be made: see the controller's log",
  503: "not ready: see /readyz",
} as const;

const PLAIN = { "content-type": "text/plain; charset=utf-8", "x-content-type-options": "nosniff" };

function plain(status: keyof typeof REFUSALS): Page {
  return { status, headers: PLAIN, body: `${REFUSALS[status]}\n` };
}

function refusalOf(request: IncomingMessage, path: string): 404 | 405 | 421 | undefined {
  if (!/^(localhost|127\.0\.0\.1|\[::1\])(:\d+)?$/i.test(request.headers.host ?? "")) return 421;
  if (!isRead(request)) return 405;
  return path === "/" ? undefined : 404;
}

const HEADERS = {
  "content-type": "text/html; charset=utf-8",
  "content-security-policy": CONTENT_SECURITY_POLICY,
  "x-content-type-options": "nosniff",
  "referrer-policy": "no-referrer",
  "cache-control": "no-store",
};

function look({ world, find, policy, policyLocation, leads, now }: StatusPageOptions): PageView | undefined {
  const [seen, rules] = [world(), policy()];
  if (seen === undefined || rules === undefined) {
    return undefined;
  }
  const at = now();
  const plan = decide(seen, rules, at, { find });
  return {
    report: reportOf({ plan, now: at, mode: rules.mode, policy: policyLocation, verified: true }),
    now: at,
    leads: leads(),
    movements: movementsOf(seen),
  };
}

function movementsOf({ dataUploads }: World): ReadonlyMap<string, readonly Movement[]> {
  const byVolume = new Map<string, Movement[]>();
  for (const { metadata, spec, status } of dataUploads) {
    const volume = `${spec.sourceNamespace}/${spec.sourcePVC}`;
    const owner = metadata.ownerReferences?.find(({ kind }) => kind === "Backup");
    const at = timeOf(metadata.creationTimestamp);
    if (at === undefined) continue;
    const movement = { backup: owner?.name ?? metadata.name ?? "", at, phase: status?.phase ?? "New" };
    byVolume.set(volume, [...(byVolume.get(volume) ?? []), movement]);
  }
  return byVolume;
}
