import type { NamespacedName, Plan, Verdict, VolumePlan } from "../retention/plan.ts";
import { formatTime } from "../retention/time.ts";

/** A plan and what it was made of. */
export interface Planned {
  readonly plan: Plan;
  /** Milliseconds since 1970. */
  readonly now: number;
  readonly mode: string;
  /** Where the policy came from. */
  readonly policy: string;
  /** Whether the signatures of documents were checked. */
  readonly verified: boolean;
}

/** A snapshot in the report, as people and programs get it. */
export interface ReportedSnapshot {
  readonly name: string;
  readonly backup: string;
  readonly driver: string | undefined;
  readonly handle: string | undefined;
  readonly takenAt: string | undefined;
  readonly ageSeconds: number | undefined;
  readonly state: string;
  readonly ready: boolean;
  readonly pinned: boolean;
  readonly decision: "kept" | "going" | "held";
  readonly reason: string;
  readonly message: string;
  /** Whether signatures were checked: volume and Backup come from documents also where a DataUpload names the content. */
  readonly verified: boolean;
}

export interface ReportedVolume extends Omit<VolumePlan, "volume" | "volumeKey"> {
  readonly volume: string;
  readonly snapshots: readonly ReportedSnapshot[];
}

/** The report as data: what `-o json` and `-o yaml` print. */
export interface Report {
  readonly now: string;
  readonly mode: string;
  readonly policy: string;
  readonly signaturesChecked: boolean;
  readonly volumes: readonly ReportedVolume[];
  readonly actions: readonly { readonly kind: string; readonly name: string; readonly message: string }[];
  readonly notices: readonly { readonly reason: string; readonly message: string }[];
}

/** Makes a report of a plan. */
export function reportOf({ plan, now, mode, policy, verified }: Planned): Report {
  const byVolume = Map.groupBy(plan.snapshots, ({ volumeKey }) => volumeKey);
  return {
    now: formatTime(now),
    mode,
    policy,
    signaturesChecked: verified,
    volumes: plan.volumes.map(({ volume, volumeKey, ...others }) => ({
      ...others,
      volume: nameOfVolume(volume),
      snapshots: (byVolume.get(volumeKey) ?? []).map((verdict) => snapshotOf(verdict, now, verified)),
    })),
    actions: plan.actions.map(({ kind, key, message }) => ({ kind, name: key, message })),
    notices: plan.notices.map(({ reason, message }) => ({ reason, message })),
  };
}

/** `namespace/name` of a volume's claim, or its name where it has no namespace. */
export function nameOfVolume({ namespace, name }: VolumePlan["volume"]): string {
  return namespace === undefined ? name : `${namespace}/${name}`;
}

function snapshotOf(verdict: Verdict, now: number, verified: boolean): ReportedSnapshot {
  const { name, backup, driver, handle, takenAt, stage, ready, pinned, reason, message } = verdict;
  return {
    name,
    backup: nameOf(backup),
    driver,
    handle,
    takenAt: takenAt === undefined ? undefined : formatTime(takenAt),
    ageSeconds: takenAt === undefined ? undefined : Math.floor((now - takenAt) / 1000),
    state: stage,
    ready,
    pinned,
    decision: decisionOf(verdict),
    reason,
    message,
    verified,
  };
}

function decisionOf({ kept, held }: Verdict): ReportedSnapshot["decision"] {
  if (kept) {
    return "kept";
  }
  return held === undefined ? "going" : "held";
}

function nameOf(backup: NamespacedName | undefined): string {
  return backup === undefined ? "" : `${backup.namespace}/${backup.name}`;
}
