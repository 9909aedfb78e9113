import { Command } from "commander";

/** One loader a command: what one of them needs is not loaded for another, which is tens of MiB in a Pod. */
const COMMANDS: Readonly<Record<string, () => Promise<Command>>> = {
  webhook: async () => (await import("./commands/webhook-command.ts")).webhookCommand(),
  controller: async () => (await import("./commands/controller-command.ts")).controllerCommand(),
  plan: async () => (await import("./commands/plan-command.ts")).planCommand(),
  review: async () => (await import("./commands/review-command.ts")).reviewCommand(),
  doctor: async () => (await import("./commands/doctor-command.ts")).doctorCommand(),
};

/** The command line, none of it run yet: the command of this name, or where there is no such command, all of them. */
export async function createProgram(name?: string): Promise<Command> {
  const program = new Command("snapshot-retainer")
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
