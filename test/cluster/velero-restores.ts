import * as z from "zod";

import { untilVeleroObject, type Watched } from "./velero-watch.ts";

/** What a restore is of, and where to. */
export interface RestoreOptions {
  readonly backup: string;
  /** Which namespaces go where; one that is not named goes where it was. */
  readonly namespaceMappings?: Readonly<Record<string, string>>;
  /** Further flags of `velero restore create`. */
  readonly flags?: readonly string[];
}

/** A Restore that has ended. */
export interface EndedRestore {
  readonly name: string;
  readonly phase: string;
  readonly errors: number;
  readonly warnings: number;
}

/** The arguments of `velero restore create`. */
export function restoreArguments(name: string, options: RestoreOptions): string[] {
  const { backup, namespaceMappings = {}, flags = [] } = options;
  const mappings = Object.entries(namespaceMappings).map(([from, to]) => `${from}:${to}`);
  const mapping = mappings.length === 0 ? [] : [`--namespace-mappings=${mappings.join(",")}`];
  return ["restore", "create", name, `--from-backup=${backup}`, ...mapping, ...flags];
}

const Restore = z.object({
  status: z
    .object({
      phase: z.string().default(""),
      errors: z.number().default(0),
      warnings: z.number().default(0),
    })
    .optional(),
});

const UNFINISHED = [
  "",
  "New",
  "InProgress",
  "WaitingForPluginOperations",
  "WaitingForPluginOperationsPartiallyFailed",
  "Finalizing",
  "FinalizingPartiallyFailed",
];

/** Resolves when the Restore has ended, however it did. */
export async function untilRestoreEnded(watched: Watched, name: string): Promise<EndedRestore> {
  return untilVeleroObject(watched, ["restores", name], (answer) => {
    const { phase = "", errors = 0, warnings = 0 } = Restore.parse(JSON.parse(answer.body)).status ?? {};
    return UNFINISHED.includes(phase) ? undefined : { name, phase, errors, warnings };
  });
}
