#!/usr/bin/env node
import { Command, CommanderError } from "commander";
import { controllerCommand } from "./commands/controller-command.ts";
import { planCommand } from "./commands/plan-command.ts";
import { reviewCommand } from "./commands/review-command.ts";
import { webhookCommand } from "./commands/webhook-command.ts";
import { ConfigError } from "./config.ts";

async function main(): Promise<number> {
  const program = new Command("snapshot-retainer")
    .description(
      "Keeps the newest N volume snapshots of each volume on the storage after Velero's data mover copied them.",
    )
    .version("0.1.0")
    .exitOverride()
    .addCommand(webhookCommand())
    .addCommand(controllerCommand())
    .addCommand(planCommand())
    .addCommand(reviewCommand());
  try {
    await program.parseAsync();
    return 0;
  } catch (error) {
    return exitCodeOf(error);
  }
}

/** 0 for help, 2 for a wrong command line or configuration, 1 for anything else. */
function exitCodeOf(error: unknown): number {
  if (error instanceof CommanderError) {
    return error.exitCode === 0 ? 0 : 2;
  }
  const message = error instanceof Error ? error.message : String(error);
  process.stderr.write(`snapshot-retainer: ${message}\n`);
  return error instanceof ConfigError ? 2 : 1;
}

process.exit(await main());
