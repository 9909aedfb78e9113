import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer, request } from "node:http";
import type { ClientRequest } from "node:http";
import { after, before, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { createBodyBudget, readBody } from "../../src/server/body.ts";
import type { Body } from "../../src/server/body.ts";
import { portOf } from "../../src/server/listen.ts";
import { eventually } from "../e2e/eventually.ts";

const LIMIT = 10;
const budget = createBodyBudget(25);
const bodies: Body[] = [];
const server = createServer((incoming, response) => {
  readBody(incoming, {
    limit: LIMIT,
    budget,
    onBody(body) {
      bodies.push(body);
      response.end();
    },
    onBroken: () => undefined,
  });
});
before(async () => {
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
});
after(() => {
  server.close();
  server.closeAllConnections();
});

const cases: Record<string, readonly [chunks: readonly string[], Body]> = {
  "reads nothing": [[], { text: "" }],
  "reads one chunk": [["12345"], { text: "12345" }],
  "reads chunks up to the limit": [["12345", "67890"], { text: "1234567890" }],
  "keeps only the chunks within the limit": [
    ["12345", "678901", "2"],
    { text: "12345", missing: "too large" },
  ],
  "keeps a first chunk beyond the limit, which may name the request": [
    ["1234567890!", "x"],
    { text: "1234567890!", missing: "too large" },
  ],
  "joins a letter that two chunks share": [["caf\u00e9"], { text: "caf\u00e9" }],
};

for (const [name, [chunks, want]] of Object.entries(cases)) {
  test(`readBody ${name}, and returns what it took`, async () => {
    bodies.length = 0;
    const outgoing = request({ host: "127.0.0.1", port: portOf(server), method: "POST" });
    const answered = once(outgoing, "response");
    for (const chunk of chunks) {
      await write(outgoing, name.startsWith("joins") ? [...Buffer.from(chunk)] : [chunk]);
    }
    outgoing.end();
    await answered;
    assert.deepEqual(bodies, [want]);
    assert.ok(budget.take(25));
    budget.give(25);
  });
}

test("what is held of all bodies at once is bounded, and is free again when one ends or breaks", async () => {
  bodies.length = 0;
  const [breaks, ends, third] = [1, 2, 3].map(() =>
    request({ host: "127.0.0.1", port: portOf(server), method: "POST" }).on("error", () => undefined),
  );
  assert.ok(breaks && ends && third);
  await write(breaks, ["1234567890"]);
  await write(ends, ["1234567890"]);
  await write(third, ["123456"]);
  const answered = [third, ends].map(async (outgoing) => once(outgoing, "response"));
  third.end();
  await answered[0];
  assert.deepEqual(bodies, [{ text: "123456", missing: "too many at once" }]);
  breaks.destroy();
  ends.end();
  await answered[1];
  assert.equal(bodies[1]?.missing, undefined);
  await eventually("both have returned what they took", async () => {
    assert.ok(budget.take(25));
    budget.give(25);
  });
});

/** Each part in a packet of its own, or so far apart that it is read alone. */
async function write(outgoing: ClientRequest, parts: readonly (string | number)[]): Promise<void> {
  for (const part of parts) {
    outgoing.write(typeof part === "number" ? Buffer.from([part]) : part);
    await sleep(20);
  }
}
