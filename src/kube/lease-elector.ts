import { setTimeout as sleep } from "node:timers/promises";
import {
  decideLeaseStep,
  heldSpec,
  isHeldBy,
  Lease,
  microTime,
  observe,
  releasedSpec,
  RENEW_DEADLINE_MS,
  RENEW_MS,
  RETRY_MS,
} from "./lease.ts";
import type { Held, LeaseStep, Observed } from "./lease.ts";
import { ApiError } from "./rest.ts";
import type { Rest } from "./rest.ts";

/** One time of being the leader. */
export interface Term {
  /** Aborted at once when the Lease is no longer ours, or may not be. */
  readonly signal: AbortSignal;
  /** Resolves when the Lease, read again, is still ours; else ends the term and rejects with `LeaseLost`. */
  confirm(): Promise<void>;
}

/** Whoever meets this stops acting: another process may be the leader. */
export class LeaseLost extends Error {
  override readonly name = "LeaseLost";
}

/** What electing needs. */
export interface ElectorOptions {
  readonly rest: Rest;
  readonly namespace: string;
  readonly name: string;
  /** Unique to this process. */
  readonly identity: string;
  /** Called once a term; settles when nothing of it runs any more: soon after the term ends or `stop` aborts. */
  readonly lead: (term: Term) => Promise<void>;
  /** A monotonic clock in milliseconds. */
  readonly clock: () => number;
  readonly now: () => Date;
  readonly onError: (error: unknown) => void;
  /** Told why a term ended before it was given up. */
  readonly onLost: (reason: string) => void;
  readonly stop: AbortSignal;
}

/** Longest that one request about the Lease may take: two of them fit between a renewal and its deadline. */
const REQUEST_MS = 4_000;

interface Leading {
  readonly term: AbortController;
  readonly ended: Promise<void>;
  held: Held;
  deadline: NodeJS.Timeout;
}

interface State {
  observed: Observed;
  leading: Leading | undefined;
  /** The Lease as we last wrote it; renewing it needs no look at it. */
  written: Lease | undefined;
}

/**
 * Takes the Lease whenever it is free, leads as long as it can be renewed, and stands by again after it was lost, until
 * `stop` aborts: then it waits for the term's work to end, renewing meanwhile, and gives the Lease up. Never rejects.
 */
export async function runElector(options: ElectorOptions): Promise<void> {
  const state: State = { observed: {}, leading: undefined, written: undefined };
  while (!options.stop.aborted || state.leading !== undefined) {
    const pauseMs = await tryStep(state, options);
    await pause(pauseMs, state, options);
    if (options.stop.aborted && state.leading !== undefined && (await hasEnded(state.leading))) {
      await release(state.leading, options);
      state.leading = undefined;
    }
  }
}

async function tryStep(state: State, options: ElectorOptions): Promise<number> {
  try {
    return await step(state, options);
  } catch (error) {
    state.written = undefined;
    options.onError(error);
    // Somebody else wrote the Lease between our reading and our writing: the next look tells who.
    return error instanceof ApiError && error.status === 409 ? 0 : RETRY_MS;
  }
}

async function step(state: State, options: ElectorOptions): Promise<number> {
  if (state.leading?.term.signal.aborted === true) {
    await endTerm(state, options, "the Lease could not be renewed in time, or was found with somebody else");
  }
  const lease = state.written ?? (await read(options));
  state.observed = observe(state.observed, lease, options.clock());
  const decided = decideLeaseStep(lease, options.identity, state.observed, options.clock());
  switch (decided.kind) {
    case "wait":
      return Math.max(0, decided.until - options.clock());
    case "lost":
      await endTerm(state, options, decided.reason);
      return 0;
    case "acquire":
      // Told to stop while the last term's work ended: no new one begins.
      if (options.stop.aborted) return 0;
      await write(state, options, lease, decided);
      return RENEW_MS;
    case "renew":
      await write(state, options, lease, decided);
      return RENEW_MS;
  }
}

type Write = Extract<LeaseStep, { transitions: number }>;

async function write(
  state: State,
  options: ElectorOptions,
  lease: Lease | undefined,
  decided: Write,
): Promise<void> {
  const held = { transitions: decided.transitions, renewedAt: options.clock() };
  const spec = {
    ...heldSpec(options.identity, decided, options.now()),
    ...(decided.kind === "acquire" && { acquireTime: microTime(options.now()) }),
  };
  state.written = await store(options, lease, spec);
  state.observed = observe({ ...state.observed, held }, state.written, options.clock());
  if (state.leading === undefined) {
    state.leading = begin(held, options);
  } else {
    clearTimeout(state.leading.deadline);
    state.leading.held = held;
    state.leading.deadline = endInTime(state.leading.term, held, options);
  }
}

function begin(held: Held, options: ElectorOptions): Leading {
  const term = new AbortController();
  const started = Promise.withResolvers<void>();
  const leading: Leading = { term, held, ended: started.promise, deadline: endInTime(term, held, options) };
  options
    .lead({ signal: term.signal, confirm: async () => confirmTerm(leading, options) })
    .then(started.resolve, (error: unknown) => {
      options.onError(error);
      started.resolve();
    });
  return leading;
}

/** A term ends at its deadline, also while the API server does not answer. */
function endInTime(term: AbortController, { renewedAt }: Held, { clock }: ElectorOptions): NodeJS.Timeout {
  return setTimeout(() => term.abort(), renewedAt + RENEW_DEADLINE_MS - clock());
}

async function confirmTerm(leading: Leading, options: ElectorOptions): Promise<void> {
  // A process that was stopped for a while comes here before any timer has told it how late it is.
  const late = options.clock() - leading.held.renewedAt >= RENEW_DEADLINE_MS;
  const lost =
    late || leading.term.signal.aborted || !isHeldBy(await read(options), options.identity, leading.held);
  if (lost) {
    leading.term.abort();
    throw new LeaseLost(`the Lease ${options.namespace}/${options.name} is not ours any more`);
  }
}

async function endTerm(state: State, options: ElectorOptions, reason: string): Promise<void> {
  const { leading } = state;
  state.observed = state.observed.record === undefined ? {} : { record: state.observed.record };
  state.written = undefined;
  state.leading = undefined;
  if (leading !== undefined) {
    clearTimeout(leading.deadline);
    leading.term.abort();
    options.onLost(reason);
    // The next term must not begin while something of this one still runs.
    await leading.ended;
  }
}

async function read({ rest, namespace, name }: ElectorOptions): Promise<Lease | undefined> {
  const found = await rest.get(`${collection(namespace)}/${name}`, AbortSignal.timeout(REQUEST_MS));
  return found === undefined ? undefined : Lease.parse(found);
}

async function store(options: ElectorOptions, lease: Lease | undefined, spec: object): Promise<Lease> {
  const { rest, namespace, name } = options;
  const signal = AbortSignal.timeout(REQUEST_MS);
  if (lease === undefined) {
    const labels = { "app.kubernetes.io/name": "snapshot-retainer", "velero.io/exclude-from-backup": "true" };
    const body = {
      apiVersion: "coordination.k8s.io/v1",
      kind: "Lease",
      metadata: { name, namespace, labels },
      spec,
    };
    return Lease.parse(await rest.call("POST", collection(namespace), { body, signal }));
  }
  // The version makes it a conflict when somebody else wrote meanwhile.
  const body = { metadata: { resourceVersion: lease.metadata.resourceVersion }, spec };
  const contentType = "application/merge-patch+json";
  return Lease.parse(
    await rest.call("PATCH", `${collection(namespace)}/${name}`, { body, contentType, signal }),
  );
}

async function release({ term, held, deadline }: Leading, options: ElectorOptions): Promise<void> {
  clearTimeout(deadline);
  try {
    const lease = await read(options);
    if (isHeldBy(lease, options.identity, held)) {
      await store(options, lease, releasedSpec(held, options.now()));
    }
  } catch (error) {
    // It lapses by itself.
    options.onError(error);
  }
  term.abort();
}

function collection(namespace: string): string {
  return `/apis/coordination.k8s.io/v1/namespaces/${namespace}/leases`;
}

async function hasEnded({ ended }: Leading): Promise<boolean> {
  return Promise.race([ended.then(() => true), sleep(0, false)]);
}

/** Until it is time, the term's deadline has come, its work has ended, or the process is to stop. */
async function pause(ms: number, { leading }: State, options: ElectorOptions): Promise<void> {
  const over = new AbortController();
  function wake(): void {
    over.abort();
  }
  options.stop.addEventListener("abort", wake, { once: true });
  leading?.term.signal.addEventListener("abort", wake, { once: true });
  void leading?.ended.then(wake);
  if (options.stop.aborted && leading === undefined) wake();
  await sleep(ms, undefined, { signal: over.signal }).catch(() => undefined);
  options.stop.removeEventListener("abort", wake);
  leading?.term.signal.removeEventListener("abort", wake);
}
