/** Series of metrics with their values, minute by minute, as promtool writes them. */
export type Series = Readonly<Record<string, string>>;

const ours = 'namespace="snapshot-retainer"';
/** For three hours. */
const LONG = 180;

function named(metric: string, labels = ""): string {
  return `${metric}{${[ours, labels].filter((part) => part !== "").join(",")}}`;
}

function always(value: number | string): string {
  return `${value}x${LONG}`;
}

/** Times are counted from the test's start, which is 1970. */
const YEAR = 31_536_000;

const PUBLISHED = named("snapshot_retainer_certificate_published", 'pod="w"');
const VALID = named("snapshot_retainer_policy_valid", 'pod="w"');
const EXPIRY = named("snapshot_retainer_certificate_expiry_timestamp_seconds", 'pod="w"');
const CA_EXPIRY = named("snapshot_retainer_ca_expiry_timestamp_seconds", 'pod="w"');
const IN_SYNC = named("snapshot_retainer_ca_bundle_in_sync", 'pod="w"');
const UNCONFIRMED = named("snapshot_retainer_ca_unconfirmed_replicas", 'pod="w"');
const LEADER = named("snapshot_retainer_leader", 'pod="c"');
const LAST_PLAN = named("snapshot_retainer_last_plan_timestamp_seconds", 'pod="c"');
const PINNED_FULL = named("snapshot_retainer_pinned_full", 'pod="c"');
const CANARY = named("snapshot_retainer_canary_success_timestamp_seconds", 'pod="c"');

/** A cluster in which nothing is wrong. */
export const HEALTHY: Series = {
  [PUBLISHED]: always(1),
  [VALID]: always(1),
  [EXPIRY]: always(YEAR),
  [CA_EXPIRY]: always(10 * YEAR),
  [IN_SYNC]: always(1),
  [UNCONFIRMED]: always(0),
  [named("snapshot_retainer_ca_forced_rotations", 'pod="w"')]: always(0),
  [named("snapshot_retainer_admission_requests_total", 'kind="backups",code="limit_set"')]: `0+5x${LONG}`,
  [LEADER]: always(1),
  // A look every minute.
  [LAST_PLAN]: `0+60x${LONG}`,
  [named("snapshot_retainer_action_failures_total", 'action="free"')]: always(1),
  [PINNED_FULL]: always(0),
  [named("snapshot_retainer_room_requests_total", 'answer="granted"')]: `0+1x${LONG}`,
  [named("snapshot_retainer_canary_probes_total", 'result="mutated"')]: `0+1x${LONG}`,
  [named("snapshot_retainer_canary_probes_total", 'result="unmutated"')]: always(0),
  [CANARY]: `0+60x${LONG}`,
};

/** What is different in a cluster where an alert has to fire; a series without values is not there. */
export const FAULTS: Readonly<Record<string, Series>> = {
  SnapshotRetainerAbsent: { [PUBLISHED]: "" },
  SnapshotRetainerPolicyInvalid: { [VALID]: always(0) },
  SnapshotRetainerCertificateExpires: { [EXPIRY]: always(86_400) },
  SnapshotRetainerAuthorityExpires: { [CA_EXPIRY]: always(86_400) },
  SnapshotRetainerBundleOutOfSync: { [IN_SYNC]: always(0) },
  SnapshotRetainerRotationWaits: { [UNCONFIRMED]: always(1) },
  SnapshotRetainerGivesUp: {
    [named("snapshot_retainer_admission_requests_total", 'kind="datauploads",code="lookup_failed"')]:
      `0+1x${LONG}`,
  },
  SnapshotRetainerBypassed: {
    'apiserver_admission_webhook_fail_open_count{name="backups.snapshot-retainer.io"}': `0+1x${LONG}`,
  },
  SnapshotRetainerNoLeader: { [LEADER]: always(0) },
  SnapshotRetainerPlanIsOld: { [LAST_PLAN]: always(60) },
  SnapshotRetainerActionsFail: {
    [named("snapshot_retainer_action_failures_total", 'action="free"')]: `0+1x${LONG}`,
  },
  SnapshotRetainerPinsFull: { [PINNED_FULL]: always(1) },
  SnapshotRetainerNoRoom: {
    [named("snapshot_retainer_room_requests_total", 'answer="none"')]: `0+1x${LONG}`,
  },
  SnapshotRetainerCanaryUnmutated: {
    [named("snapshot_retainer_canary_probes_total", 'result="unmutated"')]: `0+1x${LONG}`,
  },
  SnapshotRetainerCanarySilent: { [CANARY]: always(60) },
};
