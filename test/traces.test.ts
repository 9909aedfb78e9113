import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer } from "node:http";
import type { Server } from "node:http";
import { json } from "node:stream/consumers";
import { after, before, describe, test } from "node:test";
import * as z from "zod";
import { traceAnswer } from "../src/traces/admission.ts";
import { startTraces } from "../src/traces/traces.ts";
import { portOf } from "../src/server/listen.ts";

const Value = z.object({ stringValue: z.string().optional(), intValue: z.number().optional() });
const Attributes = z.array(z.object({ key: z.string(), value: Value }));
const Exported = z.object({
  resourceSpans: z.array(
    z.object({
      resource: z.object({ attributes: Attributes }),
      scopeSpans: z.array(
        z.object({
          spans: z.array(
            z.object({
              name: z.string(),
              traceId: z.string(),
              parentSpanId: z.string().optional(),
              startTimeUnixNano: z.string(),
              endTimeUnixNano: z.string(),
              attributes: Attributes,
              status: z.object({ code: z.number(), message: z.string().optional() }),
            }),
          ),
        }),
      ),
    }),
  ),
});

const TRACE = "0af7651916cd43dd8448eb211c80319c";
const PARENT = "b7ad6b7169203331";

describe("traces", () => {
  let collector: Server;
  const received: z.infer<typeof Exported>[] = [];

  before(async () => {
    collector = createServer((request, response) => {
      json(request).then(
        (body) => {
          received.push(Exported.parse(body));
          response.writeHead(200, { "content-type": "application/json" }).end("{}");
        },
        () => response.writeHead(500).end(),
      );
    }).listen(0, "127.0.0.1");
    await once(collector, "listening");
    // Where the SDK reads it.
    process.env["OTEL_EXPORTER_OTLP_ENDPOINT"] = `http://127.0.0.1:${portOf(collector)}`;
  });
  after(() => {
    delete process.env["OTEL_EXPORTER_OTLP_ENDPOINT"];
    collector.close();
  });

  test("are not even loaded where nobody asks for them", async () => {
    assert.equal(await startTraces("webhook", {}), undefined);
    assert.equal(await startTraces("webhook", { OTEL_EXPORTER_OTLP_ENDPOINT: "" }), undefined);
  });

  test("tell a collector of an admission, as part of the API server's trace", async () => {
    const traces = await startTraces("webhook", process.env);
    assert.ok(traces !== undefined);
    const outcome = { code: "limit_set" } as const;
    const answered = {
      kind: "backups",
      outcome,
      result: "patched",
      seconds: 0.002,
      request: undefined,
    } as const;
    traceAnswer(traces, { ...answered, traceparent: `00-${TRACE}-${PARENT}-01` }, 1_000_000);
    traceAnswer(
      traces,
      { ...answered, outcome: { code: "lookup_failed" }, result: "failed_open", traceparent: "nonsense" },
      1_000_000,
    );
    await traces.stop();
    const [{ resource, scopeSpans } = assert.fail("nothing came")] = received.flatMap(
      (one) => one.resourceSpans,
    );
    const service = resource.attributes.find(({ key }) => key === "service.name");
    assert.equal(service?.value.stringValue, "snapshot-retainer-webhook");
    const [first, second] = scopeSpans.flatMap(({ spans }) => spans);
    assert.partialDeepStrictEqual(first, {
      name: "admit backups",
      traceId: TRACE,
      parentSpanId: PARENT,
      startTimeUnixNano: "999998000000",
      endTimeUnixNano: "1000000000000",
    });
    const code = first?.attributes.find(({ key }) => key === "snapshot_retainer.code");
    assert.equal(code?.value.stringValue, "limit_set");
    assert.notEqual(second?.traceId, TRACE);
    assert.deepEqual(second?.status, { code: 2, message: "lookup_failed" });
  });

  test("end in any case, also where nobody listens", async () => {
    process.env["OTEL_EXPORTER_OTLP_ENDPOINT"] = "http://127.0.0.1:1";
    process.env["OTEL_EXPORTER_OTLP_TIMEOUT"] = "500";
    const traces = await startTraces("controller", process.env);
    traces?.span({ name: "plan", start: 0, end: 1, attributes: {} });
    await traces?.stop();
    delete process.env["OTEL_EXPORTER_OTLP_TIMEOUT"];
  });
});
