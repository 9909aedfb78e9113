import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { backupRule } from "../../../src/admission/rules/backup.ts";
import { decideBy, show } from "../../builders/decision.ts";
import type { Shown } from "../../builders/decision.ts";
import { aBackup } from "../../builders/objects.ts";
import type { Overrides } from "../../builders/objects.ts";
import { aPolicy } from "../../builders/policy.ts";
import { OWN, TENANT, VELERO } from "../../builders/request.ts";

const LIMIT = "backup.velero.io/data-mover-snapshot-to-retain";
const REQUESTED = "snapshot-retainer.io/requested-limit";
const where = "(policy: ConfigMap snapshot-retainer/snapshot-retainer-policy)";

interface Case {
  readonly policy?: Parameters<typeof aPolicy>[0];
  readonly backup?: Overrides;
  /** The annotation that the user wrote. */
  readonly wrote?: string;
  readonly want: Shown;
}

const set3: Shown = { code: "limit_set", annotations: { [LIMIT]: "3", [REQUESTED]: "(removed)" } };
const already3: Shown = { ...set3, code: "already_set" };

function overwritten(found: string, code = "limit_overwritten"): Shown {
  const message = `snapshot-retainer: ${LIMIT}: ${found} was replaced by 3: the policy's snapshotsToRetain decides ${where}`;
  return { ...set3, code, warnings: [message] };
}

function kept(number: string): Shown {
  return { code: "limit_kept", annotations: { [LIMIT]: number, [REQUESTED]: number } };
}

const created: Record<string, Case> = {
  "sets the policy's number": { want: set3 },
  "writes a number of none too": {
    policy: { snapshotsToRetain: 0 },
    want: { ...set3, annotations: { [LIMIT]: "0", [REQUESTED]: "(removed)" } },
  },
  "writes a negative number as none": {
    policy: { snapshotsToRetain: -5 },
    want: { ...set3, annotations: { [LIMIT]: "0", [REQUESTED]: "(removed)" } },
  },
  "sets the number of the Backup's schedule": {
    policy: { rules: [{ name: "n", when: { schedules: ["nightly"] }, snapshotsToRetain: 7 }] },
    backup: { metadata: { labels: { "velero.io/schedule-name": "nightly" } } },
    want: { ...set3, annotations: { [LIMIT]: "7", [REQUESTED]: "(removed)" } },
  },
  "sets it where the server's default decides whether to move data": {
    backup: { spec: { snapshotMoveData: undefined } },
    want: set3,
  },
  "sets it on a Backup of phase New": { backup: { status: { phase: "New" } }, want: set3 },
  "leaves a Backup that does not move data": {
    backup: { spec: { snapshotMoveData: false } },
    want: { code: "does_not_move" },
  },
  "leaves a Backup outside Velero's namespaces": {
    backup: { metadata: { namespace: "app" } },
    want: { code: "not_velero_namespace" },
  },
  "leaves a Backup that the sync controller brings": {
    backup: { status: { phase: "Completed" } },
    want: { code: "synced" },
  },
  "leaves a Backup that is being deleted": {
    backup: { metadata: { deletionTimestamp: "2026-11-23T10:00:00Z" } },
    want: { code: "being_deleted" },
  },
  "enforce: overwrites a user's lower number": { wrote: "1", want: overwritten("1") },
  "enforce: overwrites a user's higher number": { wrote: "9", want: overwritten("9") },
  "enforce: says nothing of the policy's own number": { wrote: "3", want: already3 },
  "enforce: writes the policy's own number plainly": { wrote: "+03", want: already3 },
  "replaces what is no number": {
    wrote: "many",
    want: overwritten('"many" is not a whole number and', "limit_invalid"),
  },
  "replaces an empty text": { wrote: "", want: overwritten('"" is not a whole number and', "limit_invalid") },
  "replaces a fraction": {
    wrote: "2.0",
    want: overwritten('"2.0" is not a whole number and', "limit_invalid"),
  },
  "replaces a number with a space": {
    wrote: " 3",
    want: overwritten('" 3" is not a whole number and', "limit_invalid"),
  },
  "replaces a number beyond 32 bits": {
    wrote: "2147483648",
    want: overwritten('"2147483648" is not a whole number and', "limit_invalid"),
  },
  "shows only the beginning of a long text": {
    wrote: "9".repeat(90),
    want: overwritten(`"${"9".repeat(40)}" is not a whole number and`, "limit_invalid"),
  },
  "cap: lets a lower number stand": { policy: { backupAnnotation: "cap" }, wrote: "1", want: kept("1") },
  "cap: lets none stand": { policy: { backupAnnotation: "cap" }, wrote: "0", want: kept("0") },
  "cap: lets a negative number stand": { policy: { backupAnnotation: "cap" }, wrote: "-1", want: kept("-1") },
  "cap: overwrites a higher number": {
    policy: { backupAnnotation: "cap" },
    wrote: "4",
    want: overwritten("4"),
  },
  "cap: says nothing of the policy's own number": {
    policy: { backupAnnotation: "cap" },
    wrote: "3",
    want: already3,
  },
  "cap: replaces what is no number": {
    policy: { backupAnnotation: "cap" },
    wrote: "1e0",
    want: overwritten('"1e0" is not a whole number and', "limit_invalid"),
  },
  "default: lets a higher number stand": {
    policy: { backupAnnotation: "default" },
    wrote: "9",
    want: kept("9"),
  },
  "default: lets the largest number stand": {
    policy: { backupAnnotation: "default" },
    wrote: "2147483647",
    want: kept("2147483647"),
  },
  "default: lets a lower number stand": {
    policy: { backupAnnotation: "default" },
    wrote: "1",
    want: kept("1"),
  },
  "default: sets the policy's number where there is none": {
    policy: { backupAnnotation: "default" },
    want: set3,
  },
};

describe("a new Backup", () => {
  for (const [name, { policy, backup = {}, wrote, want }] of Object.entries(created)) {
    test(name, () => {
      const annotations = wrote === undefined ? undefined : { [LIMIT]: wrote };
      const object = aBackup({ ...backup, metadata: { annotations, ...backup.metadata } });
      assert.deepEqual(
        show(decideBy(backupRule, { object, by: TENANT }, undefined, { policy: aPolicy(policy) })),
        want,
      );
    });
  }

  test("does not believe a user's claim that a number was let stand", () => {
    const object = aBackup({ metadata: { annotations: { [REQUESTED]: "500" } } });
    assert.deepEqual(show(decideBy(backupRule, { object, by: TENANT }, undefined)), set3);
  });

  test("gets an Event where a number was overwritten, with the words of the warning", () => {
    const object = aBackup({ metadata: { annotations: { [LIMIT]: "9" } } });
    const { notices, warnings } = decideBy(backupRule, { object, by: TENANT }, undefined);
    assert.deepEqual(notices, [{ type: "Warning", reason: "LimitOverwritten", message: warnings?.[0] }]);
  });

  test("tells the audit log the number and where it came from", () => {
    const { audit } = decideBy(backupRule, { object: aBackup() }, undefined);
    assert.deepEqual(audit, { limit: "3", reason: "the policy's snapshotsToRetain" });
  });
});

interface Update {
  readonly before?: Overrides;
  readonly after: Overrides;
  readonly by?: string;
  readonly want: Shown;
}

const limit3 = { metadata: { annotations: { [LIMIT]: "3" } } };

function putBack(...keys: string[]): Shown {
  const annotations = Object.fromEntries(keys.map((key) => [key, key === LIMIT ? "3" : "1"]));
  const warning = `snapshot-retainer: ${keys.join(", ")} put back: only Velero and snapshot-retainer may change it ${where}`;
  return { code: "put_back", annotations, warnings: [warning] };
}

const updated: Record<string, Update> = {
  "lets everything else change": {
    before: limit3,
    after: { metadata: { annotations: { [LIMIT]: "3", other: "x" } }, spec: { ttl: "1h" } },
    want: { code: "already_set" },
  },
  "puts a changed number back": {
    before: limit3,
    after: { metadata: { annotations: { [LIMIT]: "9" } } },
    want: putBack(LIMIT),
  },
  "puts a removed number back": {
    before: limit3,
    after: { metadata: { annotations: {} } },
    want: putBack(LIMIT),
  },
  "puts it back where all annotations were removed": { before: limit3, after: {}, want: putBack(LIMIT) },
  "puts back both annotations": {
    before: { metadata: { annotations: { [LIMIT]: "3", [REQUESTED]: "1" } } },
    after: {},
    want: putBack(LIMIT, REQUESTED),
  },
  "removes a number that was added later": {
    after: limit3,
    want: {
      code: "forged_removed",
      annotations: { [LIMIT]: "(removed)" },
      warnings: [
        `snapshot-retainer: ${LIMIT} removed again: only Velero and snapshot-retainer may change it ${where}`,
      ],
    },
  },
  "lets Velero change it": { before: limit3, after: {}, by: VELERO, want: { code: "allowed_change" } },
  "lets our own account change it": { before: limit3, after: {}, by: OWN, want: { code: "allowed_change" } },
  "puts it back at any phase": {
    before: { ...limit3, status: { phase: "InProgress" } },
    after: { status: { phase: "InProgress" } },
    want: putBack(LIMIT),
  },
  "puts it back where the same change ends the moving of data": {
    before: limit3,
    after: { spec: { snapshotMoveData: false } },
    want: putBack(LIMIT),
  },
  "leaves a Backup that never moved data": {
    before: { spec: { snapshotMoveData: false } },
    after: { ...limit3, spec: { snapshotMoveData: false } },
    want: { code: "does_not_move" },
  },
  "removes a number that comes with the change that begins the moving of data": {
    before: { spec: { snapshotMoveData: false } },
    after: limit3,
    want: {
      code: "forged_removed",
      annotations: { [LIMIT]: "(removed)" },
      warnings: [
        `snapshot-retainer: ${LIMIT} removed again: only Velero and snapshot-retainer may change it ${where}`,
      ],
    },
  },
  "leaves one in a namespace that is not Velero's": {
    before: { metadata: { namespace: "app", annotations: { [LIMIT]: "3" } } },
    after: { metadata: { namespace: "app" } },
    want: { code: "not_velero_namespace" },
  },
  "leaves one that is being deleted": {
    before: limit3,
    after: { metadata: { deletionTimestamp: "2026-11-23T10:00:00Z" } },
    want: { code: "being_deleted" },
  },
};

describe("a changed Backup", () => {
  for (const [name, { before, after, by = TENANT, want }] of Object.entries(updated)) {
    test(name, () => {
      const parts = { object: aBackup(after), oldObject: aBackup(before), by };
      assert.deepEqual(show(decideBy(backupRule, parts, undefined)), want);
    });
  }
});
