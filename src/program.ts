import { basename } from "node:path";
import { Command } from "commander";

/** One loader a command: what one of them needs is not loaded for another, which is tens of MiB in a Pod. */
const COMMANDS: Readonly<Record<string, () => Promise<Command>>> = {
  status: async () => (await import("./commands/status-command.ts")).statusCommand(),
  plan: async () => (await import("./commands/plan-command.ts")).planCommand(),
  explain: async () => (await import("./commands/explain-command.ts")).explainCommand(),
  pin: async () => (await import("./commands/pin-command.ts")).pinCommand(),
  unpin: async () => (await import("./commands/pin-command.ts")).unpinCommand(),
  release: async () => (await import("./commands/release-command.ts")).releaseCommand(),
  policy: async () => (await import("./commands/policy-command.ts")).policyCommand(),
  review: async () => (await import("./commands/review-command.ts")).reviewCommand(),
  doctor: async () => (await import("./commands/doctor-command.ts")).doctorCommand(),
  completion: async () =>
    (await import("./commands/completion-command.ts")).completionCommand(async () => createProgram()),
  webhook: async () => (await import("./commands/webhook-command.ts")).webhookCommand(),
  controller: async () => (await import("./commands/controller-command.ts")).controllerCommand(),
};

/** The command line, none of it run yet: the command of this name, or where there is no such command, all of them. */
export async function createProgram(name?: string): Promise<Command> {
  const program = new Command(calledAs(process.argv[1] ?? ""))
    .description(
      "Keeps the newest N volume snapshots of each volume on the storage after Velero's data mover copied them.",
    )
    .version("0.2.0")
    .exitOverride();
  const named = name === undefined || !Object.hasOwn(COMMANDS, name) ? undefined : COMMANDS[name];
  for (const load of named === undefined ? Object.values(COMMANDS) : [named]) {
    program.addCommand(await load());
  }
  return program;
}

/** kubectl runs an executable `kubectl-retainer` of the PATH as `kubectl retainer`. */
function calledAs(file: string): string {
  return basename(file).startsWith("kubectl-retainer") ? "kubectl retainer" : "snapshot-retainer";
}
