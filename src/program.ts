import { Command } from "commander";
import { controllerCommand } from "./commands/controller-command.ts";
import { planCommand } from "./commands/plan-command.ts";
import { reviewCommand } from "./commands/review-command.ts";
import { webhookCommand } from "./commands/webhook-command.ts";

/** The command line: every command, none of them run yet. */
export function createProgram(): Command {
  return new Command("snapshot-retainer")
    .description(
      "Keeps the newest N volume snapshots of each volume on the storage after Velero's data mover copied them.",
    )
    .version("0.1.0")
    .exitOverride()
    .addCommand(webhookCommand())
    .addCommand(controllerCommand())
    .addCommand(planCommand())
    .addCommand(reviewCommand());
}
