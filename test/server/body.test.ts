import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer, request } from "node:http";
import type { ClientRequest } from "node:http";
import { after, before, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { readBody } from "../../src/server/body.ts";
import type { Body } from "../../src/server/body.ts";
import { portOf } from "../../src/server/listen.ts";

const LIMIT = 10;
const bodies: Body[] = [];
const server = createServer((incoming, response) => {
  readBody(incoming, {
    limit: LIMIT,
    onBody(body) {
      bodies.push(body);
      response.end();
    },
    onBroken: assert.ifError,
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
  "reads nothing": [[], { text: "", complete: true }],
  "reads one chunk": [["12345"], { text: "12345", complete: true }],
  "reads chunks up to the limit": [["12345", "67890"], { text: "1234567890", complete: true }],
  "keeps only the chunks within the limit": [["12345", "678901", "2"], { text: "12345", complete: false }],
  "keeps a first chunk beyond the limit, which may name the request": [
    ["1234567890!", "x"],
    { text: "1234567890!", complete: false },
  ],
  "joins a letter that two chunks share": [["caf\u00e9"], { text: "caf\u00e9", complete: true }],
};

for (const [name, [chunks, want]] of Object.entries(cases)) {
  test(`readBody ${name}`, async () => {
    bodies.length = 0;
    const outgoing = request({ host: "127.0.0.1", port: portOf(server), method: "POST" });
    const answered = once(outgoing, "response");
    for (const chunk of chunks) {
      await write(outgoing, name.startsWith("joins") ? [...Buffer.from(chunk)] : [chunk]);
    }
    outgoing.end();
    await answered;
    assert.deepEqual(bodies, [want]);
  });
}

/** Each part in a packet of its own, or so far apart that it is read alone. */
async function write(outgoing: ClientRequest, parts: readonly (string | number)[]): Promise<void> {
  for (const part of parts) {
    outgoing.write(typeof part === "number" ? Buffer.from([part]) : part);
    await sleep(20);
  }
}
