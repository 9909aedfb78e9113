import {
  ComponentFailed,
  launch,
  terminate,
  waitUntilReady,
  type Component,
  type RunningComponent,
} from "./process.ts";
import { startReaper } from "./reaper.ts";

/** The processes of one cluster, by name. */
export interface Components {
  /** Starts a component, or again one that was stopped, and waits until it is ready. */
  start(component: Component, signal?: AbortSignal): Promise<void>;
  restart(name: string, signal?: AbortSignal): Promise<void>;
  /** Ends a component in order. */
  stop(name: string): Promise<void>;
  /** Sends a signal to a component, which may well end it. */
  kill(name: string, signal: NodeJS.Signals): void;
  names(): string[];
  pidOf(name: string): number;
  /** Ends everything at once. */
  end(): Promise<void>;
  /** Aborted, with ComponentFailed as reason, when a component goes away that nobody stopped. */
  readonly failed: AbortSignal;
}

/** Makes an empty set of components; neither what is started in it nor the scratch directory outlives this process. */
export function createComponents(scratchDirectory: string): Components {
  const reaper = startReaper(scratchDirectory);
  const failure = new AbortController();
  const known = new Map<string, RunningComponent>();
  const expected = new WeakSet<RunningComponent>();

  let isOver = false;

  async function start(component: Component, signal?: AbortSignal): Promise<void> {
    // One start may fail and end everything while another is on its way.
    if (isOver) throw new Error(`${component.name} is not started: its cluster has ended`);
    const running = launch(component);
    known.set(component.name, running);
    reaper.watch(running.pid);
    void running.ended.then((how) => {
      reaper.forget(running.pid);
      if (!expected.has(running)) failure.abort(new ComponentFailed(component, `ended by itself (${how})`));
    });
    await waitUntilReady(running, signal);
  }
  function find(name: string): RunningComponent {
    const running = known.get(name);
    if (running !== undefined) return running;
    throw new Error(`no component "${name}"; there are ${[...known.keys()].join(", ")}`);
  }
  async function stop(name: string): Promise<void> {
    expected.add(find(name));
    await terminate(find(name), STOP_GRACE_MS);
  }
  async function end(): Promise<void> {
    isOver = true;
    for (const running of known.values()) {
      expected.add(running);
      running.signal("SIGKILL");
    }
    await Promise.all([...known.values()].map(async ({ ended }) => ended));
    reaper.dismiss();
  }
  return {
    start,
    stop,
    end,
    restart: async (name, signal) => {
      if (!find(name).hasEnded()) await stop(name);
      await start(find(name).component, signal);
    },
    kill: (name, signal) => {
      expected.add(find(name));
      find(name).signal(signal);
    },
    pidOf: (name) => find(name).pid,
    names: () => [...known.keys()],
    failed: failure.signal,
  };
}

// kube-apiserver would wait much longer for clients to end their watches.
const STOP_GRACE_MS = 3_000;
