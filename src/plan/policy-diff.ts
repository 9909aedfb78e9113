import { columns } from "./columns.ts";
import type { Report } from "./report.ts";
import { limitOf } from "./status.ts";

/** What another policy would make of one volume. */
export interface VolumeChange {
  readonly volume: string;
  readonly today: number | null;
  readonly todayReason: string;
  readonly proposed: number | null;
  readonly proposedReason: string;
  readonly retained: number;
  /** Snapshots that would go at once, and do not under today's policy. */
  readonly goes: number;
}

/** Each volume of a cluster under two policies: reports of the same world. */
export function diffPolicies(
  today: Pick<Report, "volumes">,
  proposed: Pick<Report, "volumes">,
): VolumeChange[] {
  const byName = new Map(proposed.volumes.map((volume) => [volume.volume, volume]));
  return today.volumes.flatMap((before) => {
    const after = byName.get(before.volume);
    if (after === undefined) return [];
    const [a, b] = [limitOf(before), limitOf(after)];
    return [
      {
        volume: before.volume,
        today: a.limit,
        todayReason: a.limitReason,
        proposed: b.limit,
        proposedReason: b.limitReason,
        retained: before.retained,
        goes: Math.max(0, after.going - before.going),
      },
    ];
  });
}

/** Whether anything is different. */
export function isChanged({ today, proposed, todayReason, proposedReason, goes }: VolumeChange): boolean {
  return today !== proposed || todayReason !== proposedReason || goes > 0;
}

/** The difference for people; with `all`, also what stays as it is. */
export function renderPolicyDiff(changes: readonly VolumeChange[], all: boolean): string {
  const shown = all ? changes : changes.filter(isChanged);
  const rows = shown.map(({ volume, today, proposed, retained, goes, todayReason, proposedReason }) => [
    volume,
    String(today ?? "-"),
    String(proposed ?? "-"),
    String(retained),
    String(goes),
    todayReason === proposedReason ? proposedReason : `${proposedReason} (today: ${todayReason})`,
  ]);
  const heading = ["VOLUME", "TODAY", "PROPOSED", "RETAINED", "WOULD GO", "WHY"];
  const table = rows.length === 0 ? [] : [...columns([heading, ...rows]), ""];
  const goes = changes.reduce((sum, change) => sum + change.goes, 0);
  const summary = `${changes.filter(isChanged).length} of ${changes.length} volumes would change, ${goes} snapshots would go`;
  return `${[...table, summary].join("\n")}\n`;
}
