import assert from "node:assert/strict";
import { beforeEach, describe, test } from "node:test";
import { pino } from "pino";
import { Registry } from "prom-client";
import { createControllerMetrics } from "../../src/controller/metrics.ts";
import { createMetrics } from "../../src/metrics.ts";
import { createRestoreReport } from "../../src/controller/restore-report.ts";
import type { RestoreReport } from "../../src/controller/restore-report.ts";
import { aDownload, NOW, secondsAgo } from "../builders/restore.ts";

const FROM = { "snapshot-retainer.io/restore-decision": "from retained snapshot b1-x of backup b1" };

describe("of restores", () => {
  let registry: Registry;
  let events: string[];
  let report: RestoreReport;

  beforeEach(() => {
    registry = new Registry();
    events = [];
    report = createRestoreReport({
      log: pino({ enabled: false }),
      metrics: {
        ...createControllerMetrics(registry),
        restoresHandedBack: createMetrics().restoresHandedBack,
      },
      events: {
        record: ({ kind, name, uid }, { type, reason, message }) =>
          events.push(`${kind} ${name} ${uid ?? ""}: ${type} ${reason}: ${message}`),
      },
    });
  });

  const completed = { phase: "Completed", completionTimestamp: new Date(NOW).toISOString() };

  test("the Restore is told where a volume came from, once", async () => {
    const now = aDownload({ metadata: { annotations: FROM }, status: completed });
    report.changed(now, aDownload());
    report.changed(now, now);
    assert.deepEqual(events, [
      "Restore r1 restore-uid: Normal VolumeRestored: app/data: from retained snapshot b1-x of backup b1, in 5 s",
    ]);
    assert.match(
      await registry.metrics(),
      /restores_total\{source="retained_snapshot",result="completed"\} 1/,
    );
  });

  test("nothing is told of what was over before it was seen", () => {
    report.changed(aDownload({ status: completed }), undefined);
    assert.deepEqual(events, []);
  });

  test("one by Velero itself counts as data movement", async () => {
    const spec = { datamover: undefined };
    report.changed(aDownload({ spec, status: completed }), aDownload({ spec }));
    assert.match(events.join(), /VolumeRestored: app\/data: by data movement, in 5 s/);
    assert.match(await registry.metrics(), /source="data_movement",result="completed"\} 1/);
  });

  test("one by somebody else's mover is told by its name", () => {
    const spec = { datamover: "acme" };
    report.changed(aDownload({ spec, status: { phase: "Completed" } }), aDownload({ spec }));
    assert.match(events.join(), /app\/data: by acme$/);
  });

  test("a failed one is a warning", () => {
    report.changed(
      aDownload({ status: { phase: "Failed", completionTimestamp: secondsAgo(0) } }),
      aDownload(),
    );
    assert.match(events.join(), /Warning VolumeNotRestored: app\/data: Failed: /);
  });

  test("one that is handed back is told with the reason", () => {
    const annotations = {
      "snapshot-retainer.io/restore-decision": "by data movement: handed back to Velero: no volume",
    };
    report.changed(aDownload({ metadata: { annotations }, spec: { datamover: undefined } }), aDownload());
    assert.match(events.join(), /Warning RestoreHandedBack: app\/data: .*handed back to Velero: no volume/);
  });
});
