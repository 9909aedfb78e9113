import type { Published } from "./confirmation.ts";
import {
  bundlesOf,
  readConfiguration,
  writeNext,
  type Configuration,
  type ConfigurationRef,
} from "./publish.ts";
import type { CertificateLog } from "./source.ts";
import type { Rest } from "../src/kube/rest.ts";

/** A configuration as it was read: found, absent, or why it could not be read. */
export type Reading =
  | { readonly kind: "found"; readonly ref: ConfigurationRef; readonly found: Configuration }
  | { readonly kind: "absent" | "failed"; readonly ref: ConfigurationRef; readonly problem: Error };

/** Reads all configurations; never throws. */
export async function readConfigurations(rest: Rest, refs: readonly ConfigurationRef[]): Promise<Reading[]> {
  return Promise.all(
    refs.map(async (ref): Promise<Reading> => {
      try {
        const found = await readConfiguration(rest, ref);
        return found === undefined
          ? { kind: "absent", ref, problem: absence(ref) }
          : { kind: "found", ref, found };
      } catch (error) {
        return { kind: "failed", ref, problem: toError(error) };
      }
    }),
  );
}

/** Gives what each webhook carries, of all configurations that exist. One that could not be read carries nothing. */
export function publishedOf(readings: readonly Reading[]): Published {
  return readings.flatMap((reading) => {
    if (reading.kind === "found") return bundlesOf(reading.found);
    return reading.kind === "failed" ? [undefined] : [];
  });
}

/** What publishing came to. */
export interface Publishing {
  /** Whether the configurations have to be read again. */
  readonly changed: boolean;
  readonly problems: readonly Error[];
}

/** Makes the next write to each configuration that does not carry exactly the bundle, whatever happens to the others. */
export async function publish(
  { rest, log }: { readonly rest: Rest; readonly log: CertificateLog },
  readings: readonly Reading[],
  bundle: string,
): Promise<Publishing> {
  const problems: Error[] = [];
  let changed = false;
  for (const reading of readings) {
    if (reading.kind !== "found") {
      problems.push(reading.problem);
      continue;
    }
    // Without a Secret there is nothing to publish, and what is published may still be right.
    if (bundle === "") continue;
    const { ref, found } = reading;
    try {
      const result = await writeNext(rest, { ref, found, bundle });
      changed ||= result !== "right";
      if (result === "written") log.info({ kind: ref.kind, name: ref.name }, "published the CA bundle");
    } catch (error) {
      problems.push(toError(error));
    }
  }
  return { changed, problems };
}

function absence({ kind, name }: ConfigurationRef): Error {
  return new Error(
    `${kind} "${name}" does not exist, so the API server sends us nothing: install the chart, which brings it, or name another one with --webhook-configuration`,
  );
}

function toError(reason: unknown): Error {
  return reason instanceof Error ? reason : new Error(String(reason));
}
