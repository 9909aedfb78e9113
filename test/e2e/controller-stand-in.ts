import { setTimeout as sleep } from "node:timers/promises";
import * as z from "zod";
import { Refused } from "./api.ts";
import type { Api, Ref, Stored } from "./api.ts";
import { NAMESPACE } from "./product.ts";

/** What a request for room gets; undefined leaves it without an answer. */
export type Answering = (lease: Stored) => string | undefined;

/** A retention controller that does nothing but hold its Lease and answer requests for room. */
export interface ControllerStandIn {
  /** What it answers from now on; it grants everything before this is called. */
  answer(answering: Answering): void;
  /** Stops renewing its Lease, and resolves when nobody can take it for alive any more. */
  die(): Promise<void>;
  /** Renews it again. */
  revive(): Promise<void>;
  /** The requests for room that are there. */
  requests(): Promise<Stored[]>;
  /** Removes all requests, as the controller does with those that lapsed. */
  forget(): Promise<void>;
  stop(): Promise<void>;
}

/** Says yes to every request. */
export function grantAll(_lease: Stored): string | undefined {
  return "granted";
}

/** Short, so that a test need not wait long for its end. */
const LEASE_SECONDS = 3;
const RENEW_MS = 500;
const LOOK_MS = 25;

const ELECTION: Ref = aLease("snapshot-retainer-controller");

/** Starts it; its Lease is held when this resolves. */
export async function startControllerStandIn(api: Api): Promise<ControllerStandIn> {
  const stopping = new AbortController();
  let alive = true;
  let answering: Answering = grantAll;

  async function renew(): Promise<void> {
    const renewTime = new Date().toISOString().replace("Z", "000Z");
    const spec = { holderIdentity: "stand-in", leaseDurationSeconds: LEASE_SECONDS, renewTime };
    await put(api, { ...ELECTION, spec });
  }
  async function requests(): Promise<Stored[]> {
    const query = "labelSelector=snapshot-retainer.io/room=true";
    const leases = await api.list("coordination.k8s.io/v1", "Lease", query);
    return leases.filter(({ metadata }) => metadata.namespace === NAMESPACE);
  }
  async function answerAll(): Promise<void> {
    for (const lease of await requests()) {
      const holder = z.string().parse(lease.spec["holderIdentity"]);
      const given = lease.metadata.annotations["snapshot-retainer.io/room-answer"] ?? "";
      const text = given.startsWith(`${holder} `) ? undefined : answering(lease);
      if (text !== undefined) {
        const annotations = { "snapshot-retainer.io/room-answer": `${holder} ${text}` };
        // One that a test removed at this moment needs no answer.
        await api.patch(lease, { metadata: { annotations } }).catch(unlessGone);
      }
    }
  }
  await renew();
  const renewing = repeat(stopping.signal, RENEW_MS, async () => (alive ? renew() : undefined));
  const looking = repeat(stopping.signal, LOOK_MS, answerAll);
  return {
    answer: (next) => void (answering = next),
    async die() {
      alive = false;
      await sleep((LEASE_SECONDS + 1) * 1000);
    },
    async revive() {
      await renew();
      alive = true;
    },
    requests,
    async forget() {
      for (const lease of await requests()) {
        await api.remove(lease).catch(unlessGone);
      }
    },
    async stop() {
      stopping.abort();
      await Promise.all([renewing, looking]);
    },
  };
}

/** A Lease of our own namespace, to read it by. */
function aLease(name: string): Ref {
  return { apiVersion: "coordination.k8s.io/v1", kind: "Lease", metadata: { name, namespace: NAMESPACE } };
}

function unlessGone(error: unknown): void {
  if (!(error instanceof Refused && error.status === 404)) {
    throw error;
  }
}

async function put(api: Api, lease: Ref & { readonly spec: object }): Promise<void> {
  const there = await api.find(lease);
  await (there === undefined ? api.create(lease) : api.patch(lease, { spec: lease.spec }));
}

async function repeat(signal: AbortSignal, ms: number, work: () => Promise<void>): Promise<void> {
  while (!signal.aborted) {
    await work();
    await sleep(ms, undefined, { signal }).catch(() => undefined);
  }
}
