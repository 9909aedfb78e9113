import { builtInCeiling, matchesDriver, UNKNOWN_DRIVER_CEILING } from "./driver-ceilings.ts";
import { matchesGlob } from "./glob.ts";
import type { RetentionPolicy, Rule } from "./schema.ts";

/** What is known of a volume when its number is decided; a fact that is not known matches no condition on it. */
export interface VolumeFacts {
  readonly driver?: string | undefined;
  readonly storageClass?: string | undefined;
  readonly namespace?: string | undefined;
  readonly pvcLabels?: Readonly<Record<string, string>> | undefined;
  /** Name of the Velero Schedule that made the Backup. */
  readonly schedule?: string | undefined;
  /** The number a user wrote on the Backup and the policy let stand. */
  readonly requested?: number | undefined;
}

/** The most snapshots to retain for one volume (0 or more), and why in words. */
export interface Limit {
  readonly number: number;
  readonly reason: string;
}

/**
 * The effective number of a volume: the first matching rule, else the policy's global number; a user's own
 * number where `backupAnnotation` lets it stand; then lowered to the ceiling of its storage. The reason says
 * so: `3: rule "gold disks", lowered from 5 by the ceiling of csi.vsphere.vmware.com`.
 */
export function limitOf(policy: RetentionPolicy, volume: VolumeFacts): Limit {
  const wanted = numberOf(policy, volume);
  if (wanted.number === 0) {
    return { number: 0, reason: `0: ${wanted.reason}` };
  }
  const ceiling = ceilingOf(policy, volume);
  if (ceiling === undefined || ceiling.number >= wanted.number) {
    return { number: wanted.number, reason: `${wanted.number}: ${wanted.reason}` };
  }
  const lowered = `${ceiling.number}: ${wanted.reason}, lowered from ${wanted.number} by ${ceiling.reason}`;
  return { number: ceiling.number, reason: lowered };
}

/** The number of a volume before its ceiling, and where it comes from, such as `rule "gold disks"`. */
export function numberOf(policy: RetentionPolicy, volume: VolumeFacts): Limit {
  return withRequest(policy, volume, byRules(policy, volume));
}

/**
 * The number that is written onto a new Backup, which knows no volume yet: the global number, or that of
 * the first rule whose only condition is a schedule that made this Backup.
 */
export function backupNumber(policy: RetentionPolicy, schedule: string | undefined): Limit {
  const rule = policy.rules.find(
    (candidate) => onlyBySchedule(candidate) && ruleMatches(candidate, { schedule }),
  );
  return rule === undefined ? globalNumber(policy) : ruleNumber(rule);
}

function byRules(policy: RetentionPolicy, volume: VolumeFacts): Limit {
  const rule = policy.rules.find((candidate) => ruleMatches(candidate, volume));
  return rule === undefined ? globalNumber(policy) : ruleNumber(rule);
}

/** The policy's own number, for a volume that no rule matches. */
export function globalNumber(policy: RetentionPolicy): Limit {
  return { number: Math.max(0, policy.snapshotsToRetain), reason: "the policy's snapshotsToRetain" };
}

/** The number of a rule. */
export function ruleNumber(rule: Rule): Limit {
  return { number: Math.max(0, rule.snapshotsToRetain), reason: `rule "${rule.name}"` };
}

/** A number, or instead of it the one that a user wrote on the Backup, where the policy lets it stand. */
export function withRequest(
  policy: RetentionPolicy,
  volume: Pick<VolumeFacts, "requested">,
  wanted: Limit,
): Limit {
  // An annotation that was written while no webhook answered may hold anything.
  if (!Number.isInteger(volume.requested) || policy.backupAnnotation === "enforce") {
    return wanted;
  }
  const requested = Math.max(0, volume.requested ?? 0);
  if (policy.backupAnnotation === "cap" && requested >= wanted.number) {
    return wanted;
  }
  return {
    number: requested,
    reason: `the number on the Backup, instead of ${wanted.number} by ${wanted.reason}`,
  };
}

function onlyBySchedule(rule: Rule): boolean {
  return schedulesOf(rule) !== undefined;
}

/** The schedules of a rule that asks for nothing else; undefined for all others. */
export function schedulesOf(rule: Rule): readonly string[] | undefined {
  const { schedules, ...others } = rule.when;
  return Object.values(others).every((condition) => condition === undefined) ? schedules : undefined;
}

function ruleMatches(rule: Rule, volume: VolumeFacts): boolean {
  return matchOf(rule, volume, NOTHING) === "yes";
}

/** Facts of a volume that may be unknown for a while, though it has them. */
export type UncertainFact = "storageClass" | "pvcLabels" | "schedule" | "requested";

const NOTHING: ReadonlySet<UncertainFact> = new Set();

/**
 * Whether a rule matches a volume of which some facts are unknown: `maybe` where it depends on those. Of labels that are
 * unknown, those that are given are certain all the same.
 */
export function matchOf(rule: Rule, volume: VolumeFacts, unknown: ReadonlySet<UncertainFact>): Answer {
  const { drivers, storageClasses, namespaces, pvcLabels, schedules } = rule.when;
  if (
    !anyMatches(drivers, volume.driver, matchesDriver) ||
    !anyMatches(namespaces, volume.namespace, matchesGlob)
  ) {
    return "no";
  }
  const answers = [
    answerOf(storageClasses, volume.storageClass, equals, unknown.has("storageClass")),
    answerOf(schedules, volume.schedule, matchesGlob, unknown.has("schedule")),
    labelsAnswer(pvcLabels, volume.pvcLabels, unknown.has("pvcLabels")),
  ];
  if (answers.includes("no")) {
    return "no";
  }
  return answers.includes("maybe") ? "maybe" : "yes";
}

type Answer = "yes" | "no" | "maybe";

function answerOf(
  entries: readonly string[] | undefined,
  value: string | undefined,
  matches: (value: string, entry: string) => boolean,
  isUnknown: boolean,
): Answer {
  if (anyMatches(entries, value, matches)) {
    return "yes";
  }
  return value === undefined && isUnknown ? "maybe" : "no";
}

function labelsAnswer(
  wanted: Readonly<Record<string, string>> | undefined,
  found: Readonly<Record<string, string>> | undefined,
  someUnknown: boolean,
): Answer {
  let answer: Answer = "yes";
  for (const [key, value] of Object.entries(wanted ?? {})) {
    const label = found?.[key];
    if (label !== value && (label !== undefined || !someUnknown)) {
      return "no";
    }
    answer = label === undefined ? "maybe" : answer;
  }
  return answer;
}

function equals(a: string, b: string): boolean {
  return a === b;
}

function anyMatches(
  entries: readonly string[] | undefined,
  value: string | undefined,
  matches: (value: string, entry: string) => boolean,
): boolean {
  return entries === undefined || (value !== undefined && entries.some((entry) => matches(value, entry)));
}

/** The lowest of the policy's own ceilings for this volume; the built-in table speaks where it has none. */
export function ceilingOf(policy: RetentionPolicy, volume: VolumeFacts): Limit | undefined {
  const own = [storageClassCeiling(policy, volume.storageClass), driverCeiling(policy, volume.driver)]
    .filter((ceiling) => ceiling !== undefined)
    .toSorted((a, b) => a.number - b.number);
  return own[0] ?? tableCeiling(volume.driver);
}

function storageClassCeiling(policy: RetentionPolicy, storageClass: string | undefined): Limit | undefined {
  const found = Object.entries(policy.ceilings.storageClasses).find(([name]) => name === storageClass);
  return found && { number: found[1], reason: `the ceiling of storage class ${found[0]}` };
}

function driverCeiling(policy: RetentionPolicy, driver: string | undefined): Limit | undefined {
  if (driver === undefined) {
    return undefined;
  }
  const found = Object.entries(policy.ceilings.drivers)
    .filter(([name]) => matchesDriver(driver, name))
    .toSorted(([a], [b]) => b.length - a.length)[0];
  return found && { number: found[1], reason: `the ceiling of ${found[0]}` };
}

function tableCeiling(driver: string | undefined): Limit | undefined {
  if (driver === undefined) {
    return undefined;
  }
  const entry = builtInCeiling(driver);
  if (entry === undefined) {
    const reason = `the ceiling for drivers without a known limit (set ceilings.drivers["${driver}"] to raise it)`;
    return { number: UNKNOWN_DRIVER_CEILING, reason };
  }
  return { number: entry.ceiling, reason: `the ceiling of ${entry.driver}` };
}
