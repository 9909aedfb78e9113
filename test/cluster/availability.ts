import { buildBinaries, type Binaries } from "./build.ts";
import { GoMissing } from "./go.ts";
import type { BinarySet } from "./go-modules.ts";
import { createProgressPrinter } from "./progress-printer.ts";

/** The programs for a test file, or why its tests have to be skipped, the way node:test takes it. */
export type Availability =
  | { readonly binaries: Binaries; readonly skip: false }
  | { readonly binaries: undefined; readonly skip: string };

/** Builds what end-to-end tests need. Without Go they are to be skipped; where CI is set a missing Go throws. */
export async function availableBinaries(
  set: BinarySet,
  environment: NodeJS.ProcessEnv = process.env,
): Promise<Availability> {
  try {
    const onProgress = createProgressPrinter(process.stderr);
    return { binaries: await buildBinaries(set, { onProgress, environment }), skip: false };
  } catch (error) {
    const isCi = (environment["CI"] ?? "") !== "";
    if (!(error instanceof GoMissing) || isCi) throw error;
    return { binaries: undefined, skip: error.message };
  }
}
