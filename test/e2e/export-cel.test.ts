import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { after, before, describe, test } from "node:test";
import { stringify } from "yaml";
import { backupRule } from "../../src/admission/rules/backup.ts";
import { Backup } from "../../src/kube/objects.ts";
import { RetentionPolicy } from "../../src/policy/schema.ts";
import { availableBinaries } from "../cluster/availability.ts";
import { startCluster } from "../cluster/cluster.ts";
import type { Cluster } from "../cluster/cluster.ts";
import { someSurroundings } from "../builders/context.ts";
import { PROGRAM } from "../program.ts";
import { createApi } from "./api.ts";
import type { Api } from "./api.ts";
import { eventually } from "./eventually.ts";
import { aBackup } from "./objects.ts";

const { binaries, skip } = await availableBinaries("demo");
const LIMIT = "backup.velero.io/data-mover-snapshot-to-retain";
const REQUESTED = "snapshot-retainer.io/requested-limit";

const POLICY = {
  apiVersion: "snapshot-retainer.io/v1alpha1",
  kind: "RetentionPolicy",
  snapshotsToRetain: 3,
  backupAnnotation: "cap",
  rules: [
    { name: "not by schedule alone", when: { schedules: ["*"], namespaces: ["x"] }, snapshotsToRetain: 99 },
    { name: "hourly", when: { schedules: ["hourly-*", "every.hour"] }, snapshotsToRetain: 7 },
    { name: "odd names", when: { schedules: ["a?c+(1)"] }, snapshotsToRetain: 1 },
  ],
} as const;

/** Each Backup, as the webhook's own rule and the exported policy have to treat it alike. */
const BACKUPS: Record<string, object> = {
  "of nobody's schedule": {},
  "of a schedule": { labels: { "velero.io/schedule-name": "hourly-shop" } },
  "of a schedule with a dot": { labels: { "velero.io/schedule-name": "every.hour" } },
  "of one that only a regular expression would take for it": {
    labels: { "velero.io/schedule-name": "everyXhour" },
  },
  "with a lower number on it": { annotations: { [LIMIT]: "2" } },
  "with a higher number on it": { annotations: { [LIMIT]: "12" } },
  "with a negative number on it": { annotations: { [LIMIT]: "-1" } },
  "with no number on it": { annotations: { [LIMIT]: "all" } },
  "with other annotations": { annotations: { note: "x" } },
  "with its own number on it": { annotations: { [LIMIT]: "3" } },
};

describe("the exported MutatingAdmissionPolicy", { skip, timeout: 120_000 }, () => {
  let cluster: Cluster;
  let api: Api;

  before(async () => {
    cluster = await startCluster({ ...(binaries && { binaries }) });
    api = await createApi(cluster);
    const input = stringify(POLICY);
    const { stdout, stderr } = spawnSync(process.execPath, [PROGRAM, "policy", "export-cel", "-f", "-"], {
      input,
      encoding: "utf8",
    });
    assert.equal(stderr, "");
    await cluster.kubectl(["apply", "-f", "-"], { stdin: stdout });
    await eventually("it is in force", async () => {
      assert.equal((await created({}))[LIMIT], "3");
    });
  });
  after(async () => cluster.stop());

  async function created(metadata: object, overrides: object = {}): Promise<Record<string, string>> {
    const backup = aBackup();
    const object = { ...backup, ...overrides, metadata: { ...backup.metadata, ...metadata } };
    return (await api.create(object, { dryRun: true })).object.metadata.annotations;
  }

  for (const [name, metadata] of Object.entries(BACKUPS)) {
    test(`does with a Backup ${name} what the webhook does`, async () => {
      const annotations = await created(metadata);
      assert.deepEqual([annotations[LIMIT], annotations[REQUESTED]], byWebhook(metadata));
    });
  }

  test("leaves alone what moves no data, what was found in object storage, and what is elsewhere", async () => {
    assert.equal((await created({}, { spec: { snapshotMoveData: false } }))[LIMIT], undefined);
    assert.equal((await created({}, { status: { phase: "Completed" } }))[LIMIT], undefined);
    await api.create({ apiVersion: "v1", kind: "Namespace", metadata: { name: "elsewhere" } });
    assert.equal((await created({ namespace: "elsewhere" }))[LIMIT], undefined);
  });
});

function byWebhook(metadata: object): [string | undefined, string | undefined] {
  const object = Backup.parse({ ...aBackup(), metadata: { ...aBackup().metadata, ...metadata } });
  const request = {
    operation: "CREATE",
    namespace: "velero",
    name: object.metadata.name ?? "",
    account: "other",
    username: "alice",
    object,
    oldObject: undefined,
    dryRun: true,
  } as const;
  const surroundings = someSurroundings({ policy: RetentionPolicy.parse(POLICY) });
  const { edits } = backupRule.decide(request, undefined, surroundings);
  const { annotations = {} } = edits ?? {};
  const before = object.metadata.annotations ?? {};
  function after(key: string): string | undefined {
    return key in annotations ? annotations[key] : before[key];
  }
  return [after(LIMIT), after(REQUESTED)];
}
