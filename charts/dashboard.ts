/** A panel of the Grafana dashboard: a title, what it shows, and its queries with their legends. */
interface Panel {
  readonly title: string;
  readonly unit: string;
  readonly queries: Readonly<Record<string, string>>;
  readonly type?: "stat" | "timeseries";
}

const PREFIX = "snapshot_retainer";
const ours = '{namespace=~"$namespace"}';

/** What an admin wants to see, the most important first. */
const PANELS: readonly Panel[] = [
  {
    title: "Retained snapshots",
    type: "stat",
    unit: "short",
    queries: { "": `sum(${PREFIX}_retained_snapshots${ours})` },
  },
  {
    title: "Volumes at their limit",
    type: "stat",
    unit: "short",
    queries: { "": `sum(${PREFIX}_volumes_at_limit${ours})` },
  },
  { title: "Pinned", type: "stat", unit: "short", queries: { "": `sum(${PREFIX}_pinned_snapshots${ours})` } },
  { title: "Leader", type: "stat", unit: "short", queries: { "": `sum(${PREFIX}_leader${ours})` } },
  {
    title: "Certificate ends in",
    type: "stat",
    unit: "s",
    queries: { "": `min(${PREFIX}_certificate_expiry_timestamp_seconds${ours}) - time()` },
  },
  {
    title: "Policy valid",
    type: "stat",
    unit: "short",
    queries: { "": `min(${PREFIX}_policy_valid${ours})` },
  },
  {
    title: "Retained by driver",
    unit: "short",
    queries: { "{{driver}}": `sum by (driver) (${PREFIX}_retained_snapshots${ours})` },
  },
  {
    title: "Freed, by reason",
    unit: "short",
    queries: { "{{reason}}": `sum by (reason) (increase(${PREFIX}_frees_total${ours}[1h]))` },
  },
  {
    title: "Age of the oldest",
    unit: "s",
    queries: {
      "{{driver}}": `time() - min by (driver) (${PREFIX}_oldest_retained_timestamp_seconds${ours})`,
    },
  },
  {
    title: "To look at",
    unit: "short",
    queries: {
      "{{reason}}": `sum by (reason) (${PREFIX}_notices${ours})`,
      "refused by {{driver}}": `sum by (driver) (${PREFIX}_refused_snapshots${ours})`,
    },
  },
  {
    title: "Admission requests",
    unit: "reqps",
    queries: {
      "{{kind}} {{outcome}}": `sum by (kind, outcome) (rate(${PREFIX}_admission_requests_total${ours}[5m]))`,
    },
  },
  {
    title: "Admission, 99th percentile",
    unit: "s",
    queries: {
      "{{kind}}": `histogram_quantile(0.99, sum by (kind, le) (rate(${PREFIX}_admission_duration_seconds_bucket${ours}[5m])))`,
    },
  },
  {
    title: "Room for a snapshot",
    unit: "short",
    queries: { "{{answer}}": `sum by (answer) (increase(${PREFIX}_room_requests_total${ours}[1h]))` },
  },
  {
    title: "Restores, by source",
    unit: "short",
    queries: {
      "{{source}} {{result}}": `sum by (source, result) (increase(${PREFIX}_restores_total${ours}[1h]))`,
    },
  },
  {
    title: "Restore, median",
    unit: "s",
    queries: {
      "{{source}}": `histogram_quantile(0.5, sum by (source, le) (rate(${PREFIX}_restore_duration_seconds_bucket${ours}[1d])))`,
    },
  },
  {
    title: "Canary",
    unit: "short",
    queries: { "{{result}}": `sum by (result) (increase(${PREFIX}_canary_probes_total${ours}[1h]))` },
  },
  {
    title: "Slipped through and mended",
    unit: "short",
    queries: { "{{kind}}": `sum by (kind) (increase(${PREFIX}_mended_total${ours}[1h]))` },
  },
  {
    title: "Queue",
    unit: "short",
    queries: {
      waiting: `sum(${PREFIX}_queue_depth${ours})`,
      retrying: `sum(${PREFIX}_queue_retrying${ours})`,
    },
  },
  {
    title: "Event loop late, 99th percentile",
    unit: "s",
    queries: {
      "{{pod}}": `nodejs_eventloop_lag_p99_seconds${ours} and on (pod, namespace) (${PREFIX}_policy_valid${ours})`,
    },
  },
  {
    title: "Memory",
    unit: "bytes",
    queries: {
      "{{pod}}": `process_resident_memory_bytes${ours} and on (pod, namespace) (${PREFIX}_policy_valid${ours})`,
    },
  },
];

const WIDTH = 24;

/** The dashboard as Grafana imports it. */
export function dashboard(): object {
  let [x, y] = [0, 0];
  const panels = PANELS.map(({ title, unit, queries, type = "timeseries" }, index) => {
    const size = type === "stat" ? { w: 4, h: 4 } : { w: 8, h: 7 };
    if (x + size.w > WIDTH) [x, y] = [0, y + (PANELS[index - 1]?.type === "stat" ? 4 : 7)];
    const gridPos = { ...size, x, y };
    x += size.w;
    return {
      id: index + 1,
      title,
      type,
      gridPos,
      datasource: { type: "prometheus", uid: "${datasource}" },
      fieldConfig: { defaults: { unit }, overrides: [] },
      targets: Object.entries(queries).map(([legendFormat, expr], target) => ({
        refId: String.fromCodePoint(65 + target),
        expr,
        legendFormat,
      })),
    };
  });
  return {
    title: "Snapshot Retainer",
    uid: "snapshot-retainer",
    tags: ["velero", "backup"],
    schemaVersion: 39,
    editable: true,
    time: { from: "now-7d", to: "now" },
    refresh: "1m",
    templating: {
      list: [
        { name: "datasource", type: "datasource", query: "prometheus", label: "Data source" },
        {
          name: "namespace",
          type: "query",
          label: "Namespace",
          datasource: { type: "prometheus", uid: "${datasource}" },
          query: `label_values(${PREFIX}_leader, namespace)`,
          includeAll: true,
          current: { text: "All", value: "$__all" },
          refresh: 2,
        },
      ],
    },
    panels,
  };
}
