import { spawn } from "node:child_process";
import { availableParallelism, totalmem } from "node:os";
import { createInterface } from "node:readline";

/** Go is not there, or too old and not able to fetch a newer one. The message says what to install. */
export class GoMissing extends Error {
  override readonly name = "GoMissing";

  constructor(wanted: string, found: string) {
    super(
      `Go ${wanted} or newer is needed to build the control plane, and ${found}. ` +
        `Install it from https://go.dev/dl, or install Debian's golang-go: with GOTOOLCHAIN=auto it fetches the right one.`,
    );
  }
}

/** A go command ended with an error; the message ends with what it said. */
class GoFailed extends Error {
  override readonly name = "GoFailed";
}

/** How to run a go command. */
export interface GoOptions {
  readonly directory: string;
  readonly onLine?: (line: string) => void;
  readonly signal?: AbortSignal | undefined;
}

/** Runs a go command without cgo; returns what it printed, and hands on each line of its stderr as it comes. */
export async function go(args: readonly string[], options: GoOptions): Promise<string> {
  const child = spawn("go", args, {
    cwd: options.directory,
    env: { ...fasterCompiler(), ...process.env, CGO_ENABLED: "0", GOFLAGS: "-mod=readonly", GOWORK: "off" },
    stdio: ["ignore", "pipe", "pipe"],
    ...(options.signal && { signal: options.signal }),
  });
  const ended = new Promise<number | null>((resolve, reject) => {
    child.once("error", reject);
    child.once("close", resolve);
  });
  const said: string[] = [];
  createInterface({ input: child.stderr }).on("line", (line) => {
    said.push(line);
    options.onLine?.(line);
  });
  let printed = "";
  child.stdout.setEncoding("utf8").on("data", (chunk: string) => {
    printed += chunk;
  });
  const status = await ended;
  if (status === 0) return printed;
  const end = said.slice(-LINES_SHOWN).join("\n");
  throw new GoFailed(
    `go ${args.slice(0, 2).join(" ")} … in ${options.directory} ended with ${status}:\n${end}`,
  );
}

// The compiler runs a sixth faster when it collects its garbage less often; that takes twice the memory, about 1 GB for
// each core.
function fasterCompiler(): Record<string, string> {
  return totalmem() / availableParallelism() > ENOUGH_FOR_ONE_CORE ? { GOGC: "300" } : {};
}

const ENOUGH_FOR_ONE_CORE = 3 * 1024 ** 3;

/** Throws GoMissing unless the go command can build the module in the directory. */
export async function requireGo(directory: string, wanted: string): Promise<void> {
  try {
    // In a module's directory the go command reads go.mod first, and fetches or refuses what that asks for.
    await go(["env", "GOVERSION"], { directory });
  } catch (error) {
    if (error instanceof GoFailed) throw new GoMissing(wanted, `this machine's refuses: ${error.message}`);
    throw new GoMissing(wanted, "there is none on the PATH");
  }
}

const LINES_SHOWN = 40;
