import type { Server } from "node:http";
import type { Logger } from "pino";
import { cacheProblems } from "../controller/caches.ts";
import type { Caches } from "../controller/caches.ts";
import { createStatusPage } from "../controller/status-page.ts";
import type { Finder } from "../retention/relations.ts";
import type { World } from "../retention/world.ts";
import { listenPlain, portOf } from "../server/listen.ts";
import type { RunningPolicy } from "./policy.ts";

/** What one replica sees. */
export interface Seeing {
  readonly caches: Caches;
  /** The cluster as the caches have it now. */
  readonly world: () => World;
  readonly find: Finder;
  readonly leads: () => boolean;
}

/** The page names what belongs to all tenants: only from the Pod itself, where port-forward ends, can it be reached. */
export async function startStatusPage(
  { config, log }: { readonly config: { readonly statusPort?: number }; readonly log: Logger },
  policy: RunningPolicy,
  { caches, world, find, leads }: Seeing,
): Promise<Server | undefined> {
  if (config.statusPort === undefined) return undefined;
  const page = createStatusPage({
    world: () => (cacheProblems(caches).length === 0 ? world() : undefined),
    find,
    policy: () => policy.current(),
    policyLocation: policy.location,
    leads,
    now: Date.now,
    onFailure: (error) => log.error({ err: error }, "the status page could not be made"),
  });
  const server = await listenPlain(page, { host: "127.0.0.1", port: config.statusPort });
  log.info({ statusPort: portOf(server) }, "status page listening");
  return server;
}
