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

/** Throws GoMissing unless the go command can build the module in the directory, which asks for a version of Go. */
export async function requireGo(directory: string, wanted: string): Promise<void> {
  const found = await goVersion(directory).catch((error: unknown) => {
    if (error instanceof GoFailed)
      throw new GoMissing(wanted, `this machine's does not do: ${error.message}`);
    throw new GoMissing(wanted, "there is none on the PATH");
  });
  if (isOlder(found, wanted)) throw new GoMissing(wanted, `this machine has ${found}`);
}

/** Whether a version as Go prints it ("1.9", "1.26.8", "1.27rc1") comes before another. */
export function isOlder(found: string, wanted: string): boolean {
  const [major = 0, minor = 0, patch = 0] = numbersIn(found);
  const [wantedMajor = 0, wantedMinor = 0, wantedPatch = 0] = numbersIn(wanted);
  if (major !== wantedMajor) return major < wantedMajor;
  return minor === wantedMinor ? patch < wantedPatch : minor < wantedMinor;
}

// In a module's directory Go since 1.21 reads go.mod first, and fetches or refuses what that asks for. An older one
// says its own version and would only fail later, over what it does not understand.
async function goVersion(directory: string): Promise<string> {
  return (await go(["env", "GOVERSION"], { directory })).trim().replace(/^go/, "");
}

function numbersIn(version: string): number[] {
  return version.split(/[.a-z]/).map(Number);
}

const LINES_SHOWN = 40;
