import assert from "node:assert/strict";
import { describe, test } from "node:test";
import * as z from "zod";
import { createEventRecorder } from "../../src/kube/events.ts";
import type { EventRecorder, EventSubject } from "../../src/kube/events.ts";
import type { Rest } from "../../src/kube/rest.ts";

const text = { type: "Warning", reason: "LimitOverwritten", message: "9 was replaced by 3" } as const;
const backup: EventSubject = {
  apiVersion: "velero.io/v1",
  kind: "Backup",
  namespace: "velero",
  name: "nightly-1",
  uid: "u1",
};

const Sent = z.looseObject({
  metadata: z.object({ name: z.string(), namespace: z.string() }),
  involvedObject: z.record(z.string(), z.unknown()),
  message: z.string(),
});

interface Recorded {
  readonly recorder: EventRecorder;
  /** Path and body of each Event that was written. */
  readonly written: (readonly [string, z.infer<typeof Sent>])[];
  readonly dropped: unknown[];
  now: Date;
}

/** Our own port to the API: `find` answers each GET, `write` may fail a POST. */
function aRecorder(find: () => unknown = () => undefined, write: () => void = () => undefined): Recorded {
  const written: Recorded["written"] = [];
  const dropped: unknown[] = [];
  const rest: Rest = {
    get: async () => find(),
    async call(_method, path, options) {
      write();
      written.push([path, Sent.parse(options?.body)]);
      return {};
    },
  };
  const recorded: Recorded = {
    recorder: createEventRecorder({
      rest,
      component: "snapshot-retainer",
      now: () => recorded.now,
      onDropped: (error) => dropped.push(error),
    }),
    written,
    dropped,
    now: new Date("2026-11-23T10:00:00Z"),
  };
  return recorded;
}

async function until(holds: () => boolean): Promise<void> {
  const start = performance.now();
  while (!holds()) {
    assert.ok(performance.now() - start < 5_000);
    await new Promise((resolve) => {
      setTimeout(resolve, 5);
    });
  }
}

describe("an Event", () => {
  test("is written beside its object, with its words", async () => {
    const { recorder, written } = aRecorder();
    recorder.record(backup, text);
    await until(() => written.length > 0);
    const [path, body] = written[0] ?? ["", undefined];
    assert.equal(path, "/api/v1/namespaces/velero/events");
    assert.match(body?.metadata.name ?? "", /^nightly-1\.[0-9a-f]{16}$/);
    assert.deepEqual(body?.involvedObject, backup);
    const { metadata: _metadata, involvedObject: _object, ...rest } = body;
    assert.deepEqual(rest, {
      ...text,
      apiVersion: "v1",
      kind: "Event",
      source: { component: "snapshot-retainer" },
      reportingComponent: "snapshot-retainer",
      firstTimestamp: "2026-11-23T10:00:00.000Z",
      lastTimestamp: "2026-11-23T10:00:00.000Z",
      count: 1,
    });
  });

  test("on an object without a namespace is written to default", async () => {
    const { recorder, written } = aRecorder();
    recorder.record({ ...backup, kind: "VolumeSnapshotContent", namespace: "" }, text);
    await until(() => written.length > 0);
    assert.equal(written[0]?.[0], "/api/v1/namespaces/default/events");
    assert.equal(written[0][1].involvedObject["namespace"], undefined);
  });

  test("on an object that is new waits until it is stored, for its UID", async () => {
    let asked = 0;
    const { recorder, written } = aRecorder(() => {
      asked += 1;
      return asked < 3 ? undefined : { metadata: { uid: "stored" } };
    });
    recorder.record({ ...backup, uid: undefined, path: "/x" }, text);
    await until(() => written.length > 0);
    assert.equal(asked, 3);
    assert.equal(written[0]?.[1].involvedObject["uid"], "stored");
    assert.ok(!("path" in written[0][1].involvedObject));
  });

  test("with long words is cut to what Kubernetes takes", async () => {
    const { recorder, written } = aRecorder();
    recorder.record({ ...backup, name: "b".repeat(253) }, { ...text, message: "m".repeat(2_000) });
    await until(() => written.length > 0);
    assert.equal(written[0]?.[1].message.length, 1_024);
    assert.ok(written[0][1].metadata.name.length <= 253);
  });

  test("that cannot be written is counted, and throws nothing", async () => {
    const failure = new Error("forbidden");
    const { recorder, dropped } = aRecorder(undefined, () => {
      throw failure;
    });
    recorder.record(backup, text);
    await until(() => dropped.length > 0);
    assert.deepEqual(dropped, [failure]);
  });

  test("beyond 180 in a minute is dropped and counted, until the next minute", async () => {
    const recorded = aRecorder();
    for (let index = 0; index < 183; index += 1) {
      recorded.recorder.record(backup, text);
    }
    assert.deepEqual(recorded.dropped, [undefined, undefined, undefined]);
    recorded.now = new Date("2026-11-23T10:01:00Z");
    recorded.recorder.record(backup, text);
    await until(() => recorded.written.length >= 181);
    assert.equal(recorded.written.length, 181);
    assert.equal(recorded.dropped.length, 3);
  });
});
