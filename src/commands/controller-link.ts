import { randomUUID } from "node:crypto";
import type { WebhookConfig } from "../config.ts";
import { startCache } from "../kube/cache.ts";
import { createControllerLiveness } from "../kube/controller-liveness.ts";
import type { ControllerLiveness } from "../kube/controller-liveness.ts";
import { Lease } from "../kube/lease.ts";
import type { StreamingRest } from "../kube/rest.ts";
import { createRoom } from "../kube/room.ts";
import type { Room } from "../kube/room.ts";
import { trimTo } from "../kube/trim.ts";

/** What the webhook knows of the retention controller, and asks of it. */
export interface ControllerLink {
  readonly liveness: Pick<ControllerLiveness, "alive">;
  /** Whether it is alive by what its Lease says now, where no watch may have told us. */
  aliveStill(): Promise<boolean>;
  readonly room: Pick<Room, "ask">;
  /** Whether the Leases of our namespace have been read. */
  synced(): boolean;
}

/** What the link is made of. */
export interface ControllerLinkOptions {
  readonly config: Pick<WebhookConfig, "namespace" | "controllerLease">;
  readonly rest: StreamingRest;
  readonly onError: (error: unknown) => void;
  readonly signal: AbortSignal;
}

/**
 * Watches the Leases of our own namespace, by which webhook and controller tell each other everything. Where the
 * configuration names no Lease of a controller, there is none, and nothing is watched.
 */
export function startControllerLink(options: ControllerLinkOptions): ControllerLink {
  return options.config.controllerLease === "" ? NONE : watchLeases(options);
}

const NONE: ControllerLink = {
  liveness: { alive: () => false },
  aliveStill: async () => false,
  room: { ask: async () => ({ kind: "failed", reason: "there is no retention controller" }) },
  synced: () => true,
};

function watchLeases(options: ControllerLinkOptions): ControllerLink {
  const { config, rest } = options;
  const { namespace, controllerLease } = config;
  const liveness = createControllerLiveness({ monotonic: () => performance.now(), wall: () => Date.now() });
  const room = createRoom({ rest, namespace, randomId: randomUUID, now: () => new Date() });
  const path = `/apis/coordination.k8s.io/v1/namespaces/${encodeURIComponent(namespace)}/leases`;
  const trim = trimTo(Lease);
  const leases = startCache({
    ...options,
    path,
    trim,
    onChange: (now, before) => {
      if ((now ?? before)?.metadata.name === controllerLease) {
        liveness.update(now);
      }
      room.update(now, before);
    },
  });
  return {
    liveness,
    room,
    synced: () => leases.synced(),
    async aliveStill() {
      const lease = await rest.get(`${path}/${encodeURIComponent(controllerLease)}`, options.signal);
      liveness.update(trim(lease));
      return liveness.alive();
    },
  };
}
