import { Option } from "commander";
import type { Command } from "commander";

/** How a command prints. */
export interface OutputFlags<Format extends string> {
  readonly output: Format;
  /** Undefined: on a terminal only. */
  readonly color?: boolean;
}

/** Adds the flags that say how to print; the first format is the default. */
export function withOutputFlags(command: Command, formats: readonly string[]): Command {
  return command
    .addOption(new Option("-o, --output <format>", "how to print").choices([...formats]).default(formats[0]))
    .option("--color", "colour what people read; by default on a terminal only")
    .option("--no-color", "never colour it");
}

/** Whether to colour. NO_COLOR (https://no-color.org) counts where no flag says otherwise. */
export function isColored({ color }: { readonly color?: boolean }): boolean {
  return color ?? (process.stdout.isTTY && (process.env["NO_COLOR"] ?? "") === "");
}
