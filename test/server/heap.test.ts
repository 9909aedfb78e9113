import assert from "node:assert/strict";
import { fork } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { after, before, describe, test } from "node:test";
import * as z from "zod";
import { BODIES } from "../bench/bodies.ts";
import { runLoad } from "../bench/load.ts";

const Port = z.tuple([z.object({ port: z.number() })]).rest(z.unknown());
const Kept = z.tuple([z.object({ heap: z.number(), series: z.number() })]).rest(z.unknown());

const REQUESTS = 12_000;
/** The smallest object takes 16 bytes, and a map's entry for it 30 more. Live heaps differ by some 100 KB from one look to the next. */
const MOST_BYTES_A_REQUEST = 30;

/** No two alike in anything that a server could keep: UIDs, names, namespaces, users, kinds that nobody knows, and no JSON at all. */
function someBodies(): string[] {
  const known = Object.values(BODIES).flatMap((bodies) => bodies.slice(0, 400));
  return Array.from({ length: REQUESTS }, (_, index) => {
    const body = known[index % known.length] ?? "";
    const unique = randomUUID().slice(0, 13);
    switch (index % 8) {
      case 0:
        return body.slice(0, 100 + (index % 900));
      case 1:
        return body.replaceAll('"kind":"Backup"', `"kind":"Kind${unique}"`);
      case 2:
        return body.replaceAll("system:serviceaccount:velero:velero", `system:serviceaccount:${unique}:x`);
      default:
        return body.replace(/"uid":"[^"]+"/, `"uid":"${randomUUID()}"`).replaceAll("nightly-", `${unique}-`);
    }
  });
}

describe("what a webhook keeps of a request", () => {
  let child: ChildProcess;
  let port = 0;

  before(async () => {
    child = fork("test/server/heap-child.ts", {
      // Code that is not used is let go at some time, which is not what is looked for.
      execArgv: ["--expose-gc", "--no-flush-bytecode"],
      // Its log is a line for each request.
      stdio: ["ignore", "ignore", "ignore", "ipc"],
    });
    [{ port }] = Port.parse(await once(child, "message"));
  });
  after(() => void child.kill("SIGKILL"));

  async function load(bodies: readonly string[]): Promise<void> {
    const { requests } = await runLoad({
      to: { port, path: "/mutate" },
      bodies,
      connections: 8,
      requests: bodies.length,
    });
    assert.equal(requests, bodies.length);
  }

  async function kept(): Promise<z.infer<typeof Kept>[0]> {
    child.send("tell");
    return Kept.parse(await once(child, "message"))[0];
  }

  test("is nothing: neither heap nor metrics grow with the number of requests", async (t) => {
    // Compiled code and warm pools are no leak: what there is after the first rounds is what counts.
    for (let round = 0; round < 2; round++) await load(someBodies());
    const before = await kept();
    await load(someBodies());
    const now = await kept();
    const bytes = (now.heap - before.heap) / REQUESTS;
    t.diagnostic(`${bytes.toFixed(1)} bytes a request of ${REQUESTS}, ${now.series} series`);
    assert.equal(now.series, before.series);
    assert.ok(bytes < MOST_BYTES_A_REQUEST, `${bytes.toFixed(1)} bytes of each request are kept`);
  });
});
