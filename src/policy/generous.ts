import { ceilingOf, globalNumber, matchOf, numberOf, ruleNumber, withRequest } from "./limit.ts";
import type { Limit, UncertainFact, VolumeFacts } from "./limit.ts";
import type { RetentionPolicy } from "./schema.ts";

/** A number that no snapshot exceeds: nothing is pruned by it. */
export const UNBOUNDED = Number.MAX_SAFE_INTEGER;

/** A volume of which some facts may be unknown: its PersistentVolumeClaim was deleted, its Backup is not back yet. */
export interface UncertainVolume extends VolumeFacts {
  readonly unknown: ReadonlySet<UncertainFact>;
}

/** A number, and whether it was chosen for want of a fact. */
export interface GenerousLimit extends Limit {
  readonly uncertain: boolean;
}

/**
 * The number of a volume, the largest that may hold where a fact is unknown: what is not known must not delete
 * anything. With all facts known, it is `numberOf`.
 */
export function generousNumber(policy: RetentionPolicy, volume: UncertainVolume): GenerousLimit {
  if (volume.unknown.size === 0) {
    const { number, reason } = numberOf(policy, volume);
    return { number, reason, uncertain: false };
  }
  const possible: Limit[] = [];
  for (const rule of policy.rules) {
    const match = matchOf(rule, volume, volume.unknown);
    if (match !== "no") {
      possible.push(ruleNumber(rule));
    }
    if (match === "yes") {
      return largest(policy, volume, possible);
    }
  }
  return largest(policy, volume, [...possible, globalNumber(policy)]);
}

/** The ceiling of a volume, the highest that may hold where its storage class is unknown; undefined for none. */
export function generousCeiling(policy: RetentionPolicy, volume: UncertainVolume): Limit | undefined {
  const ceiling = ceilingOf(policy, volume);
  if (!volume.unknown.has("storageClass") || ceiling === undefined) {
    return ceiling;
  }
  const ceilings = Object.keys(policy.ceilings.storageClasses).map((storageClass) =>
    ceilingOf(policy, { ...volume, storageClass }),
  );
  return ceilings.reduce(
    (best, other) => (other !== undefined && best !== undefined && other.number > best.number ? other : best),
    ceiling,
  );
}

function largest(
  policy: RetentionPolicy,
  volume: UncertainVolume,
  possible: readonly Limit[],
): GenerousLimit {
  if (policy.backupAnnotation === "default" && volume.unknown.has("requested")) {
    const reason = "the number on its Backup is not known, so nothing goes by number";
    return { number: UNBOUNDED, reason, uncertain: true };
  }
  const [first, ...others] = possible.map((limit) => withRequest(policy, volume, limit));
  const best = others.reduce((a, b) => (b.number > a.number ? b : a), first ?? globalNumber(policy));
  const uncertain = others.length > 0;
  return {
    number: best.number,
    reason: uncertain ? `${best.reason}, the most generous that may hold` : best.reason,
    uncertain,
  };
}
