import { setTimeout as sleep } from "node:timers/promises";
import { Command } from "commander";
import { stringify } from "yaml";
import { parseDuration } from "../config.ts";
import { renderStatus, statusOf } from "../plan/status.ts";
import { InvalidInput } from "../review/documents.ts";
import { withOutputFlags } from "./output-flags.ts";
import type { OutputFlags } from "./output-flags.ts";
import { planFor, readInput, withWorldFlags } from "./world-input.ts";
import type { WorldFlags } from "./world-input.ts";

interface StatusFlags extends WorldFlags, OutputFlags<"table" | "wide" | "json" | "yaml"> {
  readonly volumeNamespace?: string;
  readonly watch?: boolean;
  /** Milliseconds. */
  readonly interval: number;
}

/** `snapshot-retainer status`: a line a volume: what is retained, its limit, and what goes next; changes nothing. */
export function statusCommand(): Command {
  const command = new Command("status")
    .description("show each volume's retained snapshots, its limit, and what goes next; changes nothing")
    .argument("[volume]", "namespace/name of a PersistentVolumeClaim")
    .option("-N, --volume-namespace <name>", "only volumes of this namespace")
    .option("-w, --watch", "show it again every so often, until Ctrl-C")
    .option("--interval <duration>", "how often, with --watch", parseDuration, 5_000);
  return withOutputFlags(withWorldFlags(command), ["table", "wide", "json", "yaml"])
    .addHelpText("after", HELP)
    .exitOverride()
    .action(async (volume: string | undefined, flags: StatusFlags) => {
      if (flags.watch !== true) {
        process.stdout.write(await status(volume, flags));
        return;
      }
      await watch(volume, flags);
    });
}

const HELP = `
Exit status: 0; 1 when the volume has no snapshot of ours, or the input is not valid; 2 for wrong flags.`;

async function status(volume: string | undefined, flags: StatusFlags): Promise<string> {
  const { report, now } = planFor(await readInput(flags), flags.now);
  const prefix = flags.volumeNamespace === undefined ? "" : `${flags.volumeNamespace}/`;
  const rows = statusOf(
    report,
    (name) => name.startsWith(prefix) && (volume === undefined || name === volume),
  );
  if (volume !== undefined && rows.length === 0) {
    throw new InvalidInput(
      `${volume}: no volume of this name has a snapshot of ours; status shows those that do`,
    );
  }
  switch (flags.output) {
    case "table":
      return renderStatus(rows, now, false);
    case "wide":
      return renderStatus(rows, now, true);
    case "json":
      return `${JSON.stringify(rows, null, 2)}\n`;
    case "yaml":
      return stringify(JSON.parse(JSON.stringify(rows)), { lineWidth: 0 });
  }
}

async function watch(volume: string | undefined, flags: StatusFlags): Promise<void> {
  const stop = new AbortController();
  process.once("SIGINT", () => stop.abort());
  while (!stop.signal.aborted) {
    const text = await status(volume, flags);
    // A terminal is drawn over; a file gets one after the other.
    process.stdout.write(process.stdout.isTTY ? `\u001B[H\u001B[2J${text}` : `${text}\n`);
    await sleep(flags.interval, undefined, { signal: stop.signal }).catch(() => undefined);
  }
}
