import { spawn, type ChildProcess } from "node:child_process";
import { closeSync, openSync, readFileSync } from "node:fs";
import { setTimeout as delay } from "node:timers/promises";

/** How a component is run, and how to ask whether it is ready. */
export interface Component {
  readonly name: string;
  readonly command: string;
  readonly args: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  readonly logFile: string;
  /** Asked again and again until it answers true; absent where being alive is all that can be asked. */
  readonly isReady?: () => Promise<boolean>;
  readonly readyWithinMs: number;
}

/** A component's process, from its start to its end. */
export interface RunningComponent {
  readonly component: Component;
  readonly pid: number;
  /** Settles when the process has ended, with how it ended in words. */
  readonly ended: Promise<string>;
  hasEnded(): boolean;
  /** Signals the whole process group; false where nothing is left of it. */
  signal(signal: NodeJS.Signals): boolean;
}

/** A component that did not come up, or went away by itself. The message ends with the end of its log. */
export class ComponentFailed extends Error {
  override readonly name = "ComponentFailed";
  readonly component: string;

  constructor(component: Component, happened: string) {
    const log = `The end of its log, ${component.logFile}:\n${endOfLog(component.logFile)}`;
    super(`${component.name} ${happened}. ${log}`);
    this.component = component.name;
  }
}

/** Starts the process in a group of its own, with its output appended to its log. It does not keep Node running. */
export function launch(component: Component): RunningComponent {
  const log = openSync(component.logFile, "a");
  const child = spawn(component.command, component.args, {
    detached: true,
    stdio: ["ignore", log, log],
    env: { PATH: process.env["PATH"] ?? "", ...component.env },
  });
  closeSync(log);
  child.unref();
  const ended = whenEnded(child);
  let isOver = false;
  void ended.then(() => {
    isOver = true;
  });
  return {
    component,
    pid: child.pid ?? 0,
    ended,
    hasEnded: () => isOver,
    // Once it has ended its number may be another process's.
    signal: (signal) => {
      // Someone is going to wait for the end, and Node has to be there when it comes.
      child.ref();
      return child.pid !== undefined && !isOver && signalGroup(child.pid, signal);
    },
  };
}

/** Waits until the component answers; throws ComponentFailed when it ends first or takes too long. */
export async function waitUntilReady(running: RunningComponent, signal?: AbortSignal): Promise<void> {
  const { component } = running;
  const deadline = performance.now() + component.readyWithinMs;
  while (component.isReady !== undefined && !(await component.isReady().catch(() => false))) {
    signal?.throwIfAborted();
    if (running.hasEnded()) {
      throw new ComponentFailed(component, `ended before it was ready (${await running.ended})`);
    }
    if (performance.now() > deadline) {
      throw new ComponentFailed(component, `was not ready within ${component.readyWithinMs / 1000} s`);
    }
    await delay(POLL_MS);
  }
}

/** Asks the process to end, and after the grace time makes it. */
export async function terminate(running: RunningComponent, graceMs: number): Promise<void> {
  running.signal("SIGTERM");
  const overdue = delay(graceMs, "overdue", { ref: true });
  if ((await Promise.race([running.ended, overdue])) === "overdue") running.signal("SIGKILL");
  await running.ended;
}

// Short against the seconds that components take, long against the millisecond that one question costs.
const POLL_MS = 50;
const LINES_OF_LOG = 20;

async function whenEnded(child: ChildProcess): Promise<string> {
  return new Promise((resolve) => {
    child.once("error", (error) => resolve(`could not be started: ${error.message}`));
    child.once("exit", (code, signal) =>
      resolve(signal === null ? `exit status ${code}` : `killed by ${signal}`),
    );
  });
}

function signalGroup(pid: number, signal: NodeJS.Signals): boolean {
  try {
    return process.kill(-pid, signal);
  } catch {
    // ESRCH: the group is already gone, which is what every caller wants to happen.
    return false;
  }
}

function endOfLog(file: string): string {
  try {
    return readFileSync(file, "utf8").trimEnd().split("\n").slice(-LINES_OF_LOG).join("\n");
  } catch {
    return "(none)";
  }
}
