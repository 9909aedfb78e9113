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

/** What is known of the build while the tour is on the screen. */
interface Seen {
  isTouring: boolean;
  isBuilt: boolean;
  /** Built, or failed. */
  isOver: boolean;
  last?: BuildProgress;
}

/** The programs of the control plane, built while the offline tour is shown; undefined where Go is missing. */
export async function buildWhileTouring(options: BuildingOptions): Promise<Binaries | undefined> {
  const { screen, progress, signal } = options;
  const print = createProgressPrinter(progress);
  const seen: Seen = { isTouring: true, isBuilt: false, isOver: false };
  function onProgress(now: BuildProgress): void {
    seen.last = now;
    if (!seen.isTouring) print(now);
  }
  const building = buildBinaries("all", { onProgress, signal });
  building.then(
    () => {
      seen.isBuilt = true;
      seen.isOver = true;
    },
    // Why is looked at below, after the tour.
    () => {
      seen.isOver = true;
    },
  );
  const review = await reviewExamples(screen, signal);
  showTour(screen, review, { inShort: seen.isBuilt });
  seen.isTouring = false;
  if (seen.last !== undefined && !seen.isOver) {
    screen.title(
      "Meanwhile everything is built from source, once: etcd, Kubernetes, the snapshot components, Velero",
    );
    print(seen.last);
  }
  try {
    return await building;
  } catch (error) {
    if (!(error instanceof GoMissing)) throw error;
    screen.say(describeWithoutGo(error));
    return undefined;
  }
}
