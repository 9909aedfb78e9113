import { Command } from "commander";
import { render } from "../plan/render.ts";
import type { Format } from "../plan/render.ts";
import { isColored, withOutputFlags } from "./output-flags.ts";
import type { OutputFlags } from "./output-flags.ts";
import { planFor, readInput, withWorldFlags } from "./world-input.ts";
import type { WorldFlags } from "./world-input.ts";

/** `snapshot-retainer plan`: what is kept and what goes, with the reason for each snapshot; changes nothing. */
export function planCommand(): Command {
  const command = new Command("plan").description(
    "show which snapshots stay and which go, and why; changes nothing",
  );
  return withOutputFlags(withWorldFlags(command), ["table", "json", "yaml"])
    .addHelpText("after", HELP)
    .exitOverride()
    .action(async (flags: WorldFlags & OutputFlags<Format>) => {
      const { report } = planFor(await readInput(flags), flags.now);
      process.stdout.write(render(report, flags.output, isColored(flags)));
    });
}

const HELP = `
A dump:  kubectl get volumesnapshotcontents,volumesnapshots,datauploads,backups,deletebackuprequests,
         backupstoragelocations,pvc,pv,configmaps -A -o yaml
What only the running controller knows is not in a plan: since when a Backup is missing, and how
many snapshots were freed within the last minute.
Exit status: 0, 1 when the input is not valid (file, document and path are told), 2 for wrong flags.`;
