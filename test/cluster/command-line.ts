import { execFile } from "node:child_process";

/** How a command ended. */
export interface CommandResult {
  readonly stdout: string;
  readonly stderr: string;
  readonly code: number;
}

/** What a caller may say beside a command's arguments. */
export interface CommandOptions {
  readonly stdin?: string;
  /** Returns a failed command's result where set; otherwise that throws CommandFailed. */
  readonly allowFailure?: boolean;
  readonly signal?: AbortSignal;
}

/** A command that ended with an error. The message is the command and what it said. */
class CommandFailed extends Error {
  override readonly name = "CommandFailed";
  readonly result: CommandResult;

  constructor(command: string, args: readonly string[], result: CommandResult) {
    super(`${command} ${args.join(" ")} ended with ${result.code}:\n${result.stderr}${result.stdout}`);
    this.result = result;
  }
}

/** A program with its environment, ready to be called. */
export interface Program {
  readonly name: string;
  readonly path: string;
  readonly environment: Readonly<Record<string, string>>;
}

/** Runs the program to its end. */
export async function runProgram(
  program: Program,
  args: readonly string[],
  options: CommandOptions = {},
): Promise<CommandResult> {
  const { stdin, allowFailure = false, signal } = options;
  const result = await new Promise<CommandResult>((resolve, reject) => {
    const settings = { env: program.environment, maxBuffer: LARGEST_OUTPUT, ...(signal && { signal }) };
    const child = execFile(program.path, [...args], settings, (error, stdout, stderr) => {
      if (error !== null && typeof error.code !== "number") reject(error);
      else resolve({ stdout, stderr, code: child.exitCode ?? 0 });
    });
    // A command may end without reading what it was given.
    child.stdin?.on("error", () => undefined);
    child.stdin?.end(stdin ?? "");
  });
  if (result.code !== 0 && !allowFailure) throw new CommandFailed(program.name, args, result);
  return result;
}

// Everything in a cluster of ours as YAML is a few megabytes.
const LARGEST_OUTPUT = 64 * 1024 * 1024;
