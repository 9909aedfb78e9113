import * as z from "zod";

import { untilVeleroObject, type Watched } from "./velero-watch.ts";

/** A Backup that has ended. */
export interface EndedBackup {
  readonly name: string;
  readonly phase: string;
  readonly errors: number;
}

const Backup = z.object({
  status: z.object({ phase: z.string().default(""), errors: z.number().default(0) }).optional(),
});

const UNFINISHED = [
  "",
  "New",
  "Queued",
  "ReadyToStart",
  "InProgress",
  "WaitingForPluginOperations",
  "WaitingForPluginOperationsPartiallyFailed",
  "Finalizing",
  "FinalizingPartiallyFailed",
];

/** Resolves when the Backup has ended, however it did. */
export async function untilEnded(watched: Watched, name: string): Promise<EndedBackup> {
  return untilVeleroObject(watched, ["backups", name], (answer) => {
    const { phase = "", errors = 0 } = Backup.parse(JSON.parse(answer.body)).status ?? {};
    return UNFINISHED.includes(phase) ? undefined : { name, phase, errors };
  });
}

/** Resolves when there is no such Backup. */
export async function untilGone(watched: Watched, name: string): Promise<void> {
  await untilVeleroObject(watched, ["backups", name], ({ status }) => (status === 404 ? true : undefined));
}
