import type { Plan } from "../retention/plan.ts";
import type { World } from "../retention/world.ts";
import { createFindings } from "./finding.ts";
import type { Finding } from "./finding.ts";

const said = createFindings("storage");

/** How many of one kind are named; the rest is counted. */
const NAMED = 3;

/** Judges whether the storage has room, and what lies on it that should not: by a plan of the cluster as it is. */
export function judgeStorage({ contents }: Pick<World, "contents">, plan: Plan): Finding[] {
  const refused = contents
    .filter(({ status }) => (status?.error?.message ?? "") !== "" && status?.readyToUse !== true)
    .map(({ metadata, status }) => `${metadata.name ?? ""}: ${status?.error?.message ?? ""}`);
  const full = plan.volumes
    .filter(({ taken, going, ceiling }) => ceiling !== undefined && taken - going >= ceiling)
    .map(
      ({ volume, taken, ceiling }) =>
        `${volume.namespace ?? ""}/${volume.name} (${taken} of ${ceiling ?? 0})`,
    );
  const findings = [
    ...some(refused, "snapshots that the storage refused or lost", REFUSED_FIX),
    ...some(
      full,
      "volumes that are at their ceiling: the next snapshot waits for the oldest to go",
      FULL_FIX,
    ),
    ...plan.notices
      .filter(({ type }) => type === "Warning")
      .map(({ reason, message }) =>
        said.warning(`${reason}: ${message}`, "snapshot-retainer plan tells more"),
      ),
  ];
  const { length } = plan.snapshots;
  return findings.length > 0
    ? findings
    : [said.ok(`${length} snapshots of ${plan.volumes.length} volumes, none refused, none left behind`)];
}

const REFUSED_FIX =
  "the message is the CSI driver's own; where it speaks of a limit, set policy.ceilings to what the storage can take (docs/policy.md)";
const FULL_FIX =
  "that is how it should be where the ceiling is the storage's limit; where all of them are pinned, unpin one";

function some(found: readonly string[], what: string, fix: string): Finding[] {
  if (found.length === 0) {
    return [];
  }
  const others = found.length > NAMED ? ` and ${found.length - NAMED} more` : "";
  return [said.warning(`${what}: ${found.slice(0, NAMED).join(", ")}${others}`, fix)];
}
