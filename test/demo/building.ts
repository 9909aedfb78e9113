import type { BuildProgress } from "../cluster/build-module.ts";
import { buildBinaries } from "../cluster/build.ts";
import type { Binaries } from "../cluster/build.ts";
import { GoMissing } from "../cluster/go.ts";
import { createProgressPrinter } from "../cluster/progress-printer.ts";
import type { ProgressOutput } from "../cluster/progress-printer.ts";
import { describeWithoutGo } from "./prose.ts";
import type { Screen } from "./screen.ts";
import { reviewExamples, showTour } from "./tour.ts";

/** What building needs beside Go. */
export interface BuildingOptions {
  readonly screen: Screen;
  readonly progress: ProgressOutput;
  readonly signal: AbortSignal;
}

/** The programs of the control plane, built while the offline tour is shown; undefined where Go is missing. */
export async function buildWhileTouring(options: BuildingOptions): Promise<Binaries | undefined> {
  const { screen, progress, signal } = options;
  const print = createProgressPrinter(progress);
  let isTouring = true;
  let last: BuildProgress | undefined;
  function onProgress(now: BuildProgress): void {
    last = now;
    if (!isTouring) print(now);
  }
  let isBuilt = false;
  const building = buildBinaries("demo", { onProgress, signal });
  building.then(
    () => {
      isBuilt = true;
    },
    // It is looked at below, after the tour.
    () => undefined,
  );
  const review = await reviewExamples(screen, signal);
  showTour(screen, review, { inShort: isBuilt });
  isTouring = false;
  if (last !== undefined && !isBuilt) {
    screen.title(
      "Meanwhile the control plane is built from source, once: etcd, Kubernetes, the snapshot components",
    );
    print(last);
  }
  try {
    return await building;
  } catch (error) {
    if (!(error instanceof GoMissing)) throw error;
    screen.print(describeWithoutGo(error));
    return undefined;
  }
}
