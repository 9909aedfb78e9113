import assert from "node:assert/strict";
import { describe, test } from "node:test";
import * as z from "zod";
import type { Outcome } from "../../src/admission/outcome.ts";
import type { EventSubject, EventText } from "../../src/kube/events.ts";
import { createLog } from "../../src/log.ts";
import { createMetrics } from "../../src/metrics.ts";
import type { Answered } from "../../src/server/admission.ts";
import { createReport } from "../../src/server/report.ts";
import { aBackup, aContent, anAcmeSnapshot } from "../builders/objects.ts";
import { aRequest, REQUEST_UID, TENANT } from "../builders/request.ts";

const notice = { type: "Warning", reason: "LimitOverwritten", message: "9 was replaced" } as const;
const overwritten: Outcome = { code: "limit_overwritten", notices: [notice], audit: { limit: "3" } };

interface Reported {
  readonly lines: Record<string, unknown>[];
  readonly events: (readonly [EventSubject, EventText])[];
  readonly metrics: string;
}

async function reportOf(answered: Partial<Answered>): Promise<Reported> {
  let written = "";
  const log = createLog("info", { write: (text) => (written += text) });
  const events: (readonly [EventSubject, EventText])[] = [];
  const metrics = createMetrics();
  const report = createReport({
    metrics,
    log,
    events: { record: (subject, text) => events.push([subject, text]) },
  });
  report.answered({
    kind: "backups",
    outcome: overwritten,
    result: "patched",
    seconds: 0.0123,
    request: aRequest({ object: aBackup(), by: TENANT }),
    ...answered,
  });
  report.flush();
  log.flush();
  const lines = written.trimEnd().split("\n").map(parseLine);
  return { lines, events, metrics: await metrics.registry.metrics() };
}

/** A line of the log, whose time is only looked at for being one. */
function parseLine(line: string): Record<string, unknown> {
  const { time, ...fields } = z.looseObject({ time: z.iso.datetime() }).parse(JSON.parse(line));
  assert.ok(Math.abs(Date.now() - Date.parse(time)) < 60_000);
  return fields;
}

describe("the report of an answer", () => {
  test("is one line of the log, without the object", async () => {
    const { lines } = await reportOf({});
    assert.deepEqual(lines, [
      {
        level: "info",
        uid: REQUEST_UID,
        kind: "backups",
        operation: "CREATE",
        namespace: "velero",
        name: "nightly-1",
        username: TENANT,
        code: "limit_overwritten",
        result: "patched",
        durationMs: 12.3,
        limit: "3",
        msg: "admission",
      },
    ]);
  });

  test("is a warning with its words where it failed open", async () => {
    const outcome: Outcome = { code: "lookup_failed", warnings: ["why"] };
    const { lines, metrics } = await reportOf({ outcome, result: "failed_open", request: undefined });
    assert.equal(lines[0]?.["level"], "warn");
    assert.deepEqual(lines[0]["warnings"], ["why"]);
    assert.equal(lines[0]["msg"], "admission failed open");
    assert.match(metrics, /operation="unknown",outcome="failed_open",code="lookup_failed"} 1/);
  });

  test("is counted and timed", async () => {
    const { metrics } = await reportOf({});
    assert.match(
      metrics,
      /requests_total{kind="backups",operation="CREATE",outcome="patched",code="limit_overwritten"} 1/,
    );
    assert.match(metrics, /duration_seconds_bucket{le="0.01",kind="backups"} 0/);
    assert.match(metrics, /duration_seconds_bucket{le="0.05",kind="backups"} 1/);
  });

  test("is an Event on the object", async () => {
    const { events } = await reportOf({});
    const subject = {
      apiVersion: "velero.io/v1",
      kind: "Backup",
      namespace: "velero",
      name: "nightly-1",
      uid: undefined,
      path: "/apis/velero.io/v1/namespaces/velero/backups/nightly-1",
    };
    assert.deepEqual(events, [[subject, notice]]);
  });

  const subjects: Record<string, readonly [object: Parameters<typeof aBackup>[0], path: string | undefined]> =
    {
      "of an object that has no name yet, none": [{ metadata: { name: undefined } }, undefined],
      "of a name that is no name, a path that is none": [
        { metadata: { name: "../../x" } },
        "/apis/velero.io/v1/namespaces/velero/backups/..%2F..%2Fx",
      ],
    };
  for (const [name, [overrides, path]] of Object.entries(subjects)) {
    test(`is an Event: ${name}`, async () => {
      const { events } = await reportOf({ request: aRequest({ object: aBackup(overrides), by: TENANT }) });
      assert.deepEqual(
        events.map(([subject]) => subject.path),
        path === undefined ? [] : [path],
      );
    });
  }

  test("is an Event on an object without a namespace, and of the core group", async () => {
    const content = await reportOf({ request: aRequest({ object: aContent({ metadata: { uid: "u" } }) }) });
    assert.equal(content.events[0]?.[0].uid, "u");
    assert.match(
      content.events[0][0].path ?? "",
      /^\/apis\/snapshot.storage.k8s.io\/v1\/volumesnapshotcontents\/snapc/,
    );
    const sao = await reportOf({ request: aRequest({ object: anAcmeSnapshot() }) });
    assert.equal(sao.events[0]?.[0].path, "/api/v1/namespaces/acme-mover/configmaps/acme-snap-1");
  });

  const silent: Record<string, Partial<Answered>> = {
    "of a dry run": { request: aRequest({ object: aBackup(), fields: { dryRun: true } }) },
    "of what was only audited": { result: "audited" },
    "of what changed nothing": { outcome: { code: "already_set" } },
    "of what could not be read": { request: undefined },
  };
  for (const [name, answered] of Object.entries(silent)) {
    test(`is no Event ${name}`, async () => {
      assert.deepEqual((await reportOf(answered)).events, []);
    });
  }
});
