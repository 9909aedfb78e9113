import { connect, createServer } from "node:net";
import type { Server, Socket } from "node:net";

/** Where a replica takes connections, and where it says whether it is ready. */
export interface Endpoint {
  readonly port: number;
  readonly probes: string;
}

/** What a Service does for Pods: new connections go to replicas that are ready, old ones stay where they are. */
export interface Service {
  add(endpoint: Endpoint): void;
  /** Looks at once which replicas are ready. */
  refresh(): Promise<void>;
  /** How many connections it led to a replica that did not take them. */
  refused(): number;
  close(): void;
}

/** How a Service behaves. */
export interface ServiceOptions {
  /** How much later than the replica itself it learns that one is no longer ready; at once where left out. */
  readonly delayMs?: number;
}

/** kube-proxy learns of a replica that is not ready within about a second; here it is this. */
const PROBE_MS = 50;
/** The chart's timeoutSeconds of the readiness probe: a frozen replica never answers, one on a busy machine takes its time. */
const PROBE_TIMEOUT_MS = 3_000;

/** Forwards the port's connections, in turn, to the replicas that are ready; with none, they are refused. */
export async function startService(port: number, { delayMs = 0 }: ServiceOptions = {}): Promise<Service> {
  const endpoints: Endpoint[] = [];
  const lastReady = new Map<Endpoint, number>();
  let ready: Endpoint[] = [];
  let turn = 0;
  let refused = 0;
  const server = createServer((incoming) => {
    turn += 1;
    const endpoint = ready[turn % ready.length];
    if (endpoint === undefined) incoming.destroy();
    else forward(incoming, connect(endpoint.port, "127.0.0.1"), () => void (refused += 1));
  });
  async function probe(): Promise<void> {
    const asked = performance.now();
    const answers = await Promise.all(endpoints.map(isReady));
    for (const [index, isWell] of answers.entries()) {
      const endpoint = endpoints[index];
      if (isWell && endpoint !== undefined) lastReady.set(endpoint, asked);
    }
    ready = endpoints.filter((endpoint) => asked - (lastReady.get(endpoint) ?? -Infinity) <= delayMs);
  }
  const timer = setInterval(() => void probe(), PROBE_MS).unref();
  await listen(server, port);
  return {
    refresh: probe,
    refused: () => refused,
    add: (endpoint) => void endpoints.push(endpoint),
    close() {
      clearInterval(timer);
      server.close();
    },
  };
}

function forward(incoming: Socket, outgoing: Socket, onRefused: () => void): void {
  outgoing.on("error", () => {
    if (outgoing.bytesRead === 0) onRefused();
  });
  for (const [from, to] of [
    [incoming, outgoing],
    [outgoing, incoming],
  ] as const) {
    from.setNoDelay(true);
    from.pipe(to);
    from.on("error", () => to.destroy());
    from.on("close", () => to.destroy());
  }
}

async function isReady({ probes }: Endpoint): Promise<boolean> {
  return fetch(`${probes}/readyz`, { signal: AbortSignal.timeout(PROBE_TIMEOUT_MS) }).then(
    ({ status }) => status === 200,
    () => false,
  );
}

async function listen(server: Server, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen(port, "127.0.0.1", resolve);
  });
}
