import { styleText } from "node:util";
import type { Verdict } from "../retention/plan.ts";
import type { Plan } from "../retention/plan.ts";
import { formatTime } from "../retention/time.ts";
import type { World } from "../retention/world.ts";
import { LIMIT_ANNOTATION } from "../kube/keys.ts";
import { valueOf } from "../kube/objects.ts";
import { columns } from "./columns.ts";
import { nameOfVolume } from "./report.ts";
import type { Report } from "./report.ts";
import { statusOf } from "./status.ts";

/** What is to be explained. */
export interface Target {
  readonly kind: "volume" | "snapshot" | "backup";
  /** As people write it: `namespace/name`, or the name of a VolumeSnapshotContent. */
  readonly name: string;
}

/** An explanation: facts with a name each, the snapshots that it is about, and what can be done. */
export interface Explanation extends Target {
  readonly facts: readonly { readonly name: string; readonly text: string }[];
  readonly snapshots: readonly {
    readonly name: string;
    readonly backup: string;
    readonly taken: string;
    readonly decision: string;
    readonly why: string;
  }[];
  readonly todo: readonly string[];
}

/** What is known of a cluster, planned. */
export interface Known {
  readonly world: World;
  readonly plan: Plan;
  readonly report: Report;
}

/**
 * All that a text may mean: a volume by `namespace/name` of its claim, a snapshot by its VolumeSnapshotContent, or by
 * `namespace/name` of its VolumeSnapshot, a Backup by its name with or without its namespace.
 */
export function targetsOf(text: string, { world, plan, report }: Known): Target[] {
  const volumes = report.volumes.filter(({ volume }) => volume === text).map(({ volume }) => volume);
  const bound = world.snapshots
    .filter(({ metadata }) => `${metadata.namespace ?? ""}/${metadata.name ?? ""}` === text)
    .map(
      ({ status, spec }) =>
        status?.boundVolumeSnapshotContentName ?? spec.source.volumeSnapshotContentName ?? "",
    );
  const snapshots = plan.snapshots.filter(({ name }) => name === text || bound.includes(name));
  const backups = world.backups
    .map(({ metadata: { namespace = "", name = "" } }) => ({ full: `${namespace}/${name}`, name }))
    .filter(({ full, name }) => full === text || name === text);
  return [
    ...volumes.map((name) => ({ kind: "volume" as const, name })),
    ...snapshots.map(({ name }) => ({ kind: "snapshot" as const, name })),
    ...backups.map(({ full }) => ({ kind: "backup" as const, name: full })),
  ];
}

/** Names that are like a text, for whoever mistyped one. */
export function similarTo(text: string, { world, plan, report }: Known): string[] {
  const all = [
    ...report.volumes.map(({ volume }) => volume),
    ...plan.snapshots.map(({ name }) => name),
    ...world.backups.map(({ metadata }) => metadata.name ?? ""),
  ];
  const end = text.slice(text.indexOf("/") + 1);
  return [...new Set(all.filter((name) => name.includes(end) || end.includes(name)))].slice(0, 5);
}

/** The explanation of a target that `targetsOf` gave. */
export function explain(target: Target, known: Known): Explanation {
  switch (target.kind) {
    case "volume":
      return explainVolume(target, known);
    case "snapshot":
      return explainSnapshot(target, known);
    case "backup":
      return explainBackup(target, known);
  }
}

function explainVolume(target: Target, { plan, report }: Known): Explanation {
  const [status] = statusOf(report, (volume) => volume === target.name);
  const [volume] = report.volumes.filter((one) => one.volume === target.name);
  const verdicts = plan.snapshots.filter((verdict) => nameOfVolume(verdict.volume) === target.name);
  const limits = [
    volume?.numberReason ?? "",
    ...(volume?.ceilingReason === undefined ? [] : [`ceiling ${volume.ceilingReason}`]),
  ];
  return {
    ...target,
    facts: [
      { name: "limit", text: limits.join("; ") },
      { name: "on storage", text: countsOf(verdicts) },
      {
        name: "next to go",
        text: status?.next === undefined ? (status?.nextReason ?? "") : `${status.next} ${status.nextReason}`,
      },
      ...noticesAbout(report, [volume?.volumeName ?? "", ...verdicts.map(({ name }) => name)]),
    ],
    snapshots: verdicts.map(lineOf),
    todo: [
      "keep one for good: snapshot-retainer pin SNAPSHOT",
      `free all of them: snapshot-retainer release ${target.name}`,
    ],
  };
}

function countsOf(verdicts: readonly Verdict[]): string {
  const byStage = Object.entries(Object.groupBy(verdicts, ({ stage }) => stage));
  const parts = byStage.map(([stage, ofStage]) => `${ofStage.length} ${stage}`);
  const pinned = verdicts.filter((verdict) => verdict.pinned).length;
  return [
    `${verdicts.length} snapshots: ${parts.join(", ")}`,
    ...(pinned > 0 ? [`${pinned} pinned`] : []),
  ].join(", ");
}

const EVIDENCE: Readonly<Record<Verdict["evidence"], string>> = {
  document: "our signed document on the object",
  data_upload: "the DataUpload that moves or moved it",
  backup_label: "Velero's label alone, until its DataUpload is there",
};

function explainSnapshot(target: Target, { plan, report }: Known): Explanation {
  const verdict = plan.snapshots.find(({ name }) => name === target.name);
  if (verdict === undefined) {
    return { ...target, facts: [], snapshots: [], todo: [] };
  }
  const [volume] = report.volumes.filter((one) => one.volumeName === verdict.volumeName);
  const storage = [verdict.driver ?? "driver not known", verdict.handle ?? "handle not known yet"];
  return {
    ...target,
    facts: [
      { name: "volume", text: nameOfVolume(verdict.volume) },
      { name: "backup", text: backupOf(verdict) },
      { name: "taken", text: verdict.takenAt === undefined ? "not known yet" : formatTime(verdict.takenAt) },
      { name: "on storage", text: storage.join(", ") },
      { name: "known by", text: EVIDENCE[verdict.evidence] },
      { name: "state", text: [verdict.stage, ...(verdict.ready ? [] : ["not ready"])].join(", ") },
      { name: "limit", text: volume?.numberReason ?? "" },
      { name: "decision", text: `${decisionOf(verdict)}: ${verdict.message} (${verdict.reason})` },
      ...noticesAbout(report, [verdict.name]),
    ],
    snapshots: [],
    todo: todoFor(verdict),
  };
}

function todoFor({ name, pinned, kept, held }: Verdict): string[] {
  if (pinned) return [`let it go: snapshot-retainer unpin ${name}`];
  if (held !== undefined) return ["nothing: it goes when what holds it is over"];
  return kept
    ? [`keep it whatever the number says: snapshot-retainer pin ${name}`]
    : [`keep it after all: snapshot-retainer pin ${name}`];
}

function explainBackup(target: Target, { world, plan, report }: Known): Explanation {
  const backup = world.backups.find(
    ({ metadata }) => `${metadata.namespace ?? ""}/${metadata.name ?? ""}` === target.name,
  );
  const verdicts = plan.snapshots.filter((verdict) => backupOf(verdict) === target.name);
  const isThere = verdicts.length > 0;
  return {
    ...target,
    facts: [
      { name: "phase", text: backup?.status?.phase ?? "New" },
      { name: "moves data", text: movesText(backup?.spec?.snapshotMoveData) },
      { name: "number", text: valueOf(backup?.metadata.annotations, LIMIT_ANNOTATION) ?? UNSEEN },
      { name: "snapshots", text: isThere ? countsOf(verdicts) : "none of ours is on the storage" },
      ...noticesAbout(
        report,
        verdicts.map(({ name }) => name),
      ),
    ],
    snapshots: verdicts.map(lineOf),
    todo: isThere ? ["velero backup delete frees them with the Backup; kubectl delete backup does not"] : [],
  };
}

const UNSEEN = "none on it: the webhook did not see it, or it moves no data";

function movesText(moves: boolean | null | undefined): string {
  if (moves === false) return "no, so it is none of ours";
  return moves === true ? "yes" : "by Velero's default";
}

function backupOf({ backup }: Verdict): string {
  return backup === undefined ? "" : `${backup.namespace}/${backup.name}`;
}

function decisionOf({ kept, held }: Verdict): string {
  if (kept) return "stays";
  return held === undefined ? "goes" : "should go and is held";
}

function lineOf(verdict: Verdict): Explanation["snapshots"][number] {
  return {
    name: verdict.name,
    backup: backupOf(verdict),
    taken: verdict.takenAt === undefined ? "" : formatTime(verdict.takenAt),
    decision: decisionOf(verdict),
    why: verdict.message,
  };
}

function noticesAbout({ notices }: Report, names: readonly string[]): Explanation["facts"][number][] {
  const about = notices.filter(({ message }) => names.some((name) => name !== "" && message.includes(name)));
  return about.map(({ reason, message }) => ({ name: "notice", text: `${reason}: ${message}` }));
}

/** An explanation for people. */
export function renderExplanation(
  { kind, name, facts, snapshots, todo }: Explanation,
  color: boolean,
): string {
  function strong(text: string): string {
    return color ? styleText("bold", text, { validateStream: false }) : text;
  }
  const rows = snapshots.map(({ name: snapshot, backup, taken, decision, why }) => [
    snapshot,
    backup,
    taken,
    decision,
    why,
  ]);
  const lines = [
    strong(`${kind} ${name}`),
    ...columns(facts.map((fact) => [`  ${fact.name}`, fact.text])),
    ...(rows.length === 0
      ? []
      : [
          "",
          ...columns([
            ["  SNAPSHOT", "BACKUP", "TAKEN", "DECISION", "WHY"],
            ...rows.map(([first = "", ...others]) => [`  ${first}`, ...others]),
          ]),
        ]),
    ...(todo.length === 0 ? [] : ["", ...todo.map((line) => `  → ${line}`)]),
  ];
  return `${lines.join("\n")}\n`;
}
