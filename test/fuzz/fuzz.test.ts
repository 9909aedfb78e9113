import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import fc from "fast-check";
import { aContext } from "../builders/context.ts";
import { ACME, aPolicy } from "../builders/policy.ts";
import { startServer } from "../builders/server.ts";
import type { TestServer } from "../builders/server.ts";
import { body } from "./bodies.ts";
import { check, PATHS } from "./oracle.ts";
import { readSeeds } from "./seeds.ts";

describe("any bytes are answered, read as they are, and never denied", () => {
  const policy = aPolicy({ snapshotAssociatedObjects: [ACME] });
  let server: TestServer;
  before(async () => {
    server = await startServer(() => aContext({ policy }));
  });
  after(async () => server.stop());

  for (const path of PATHS) {
    test(`by ${path}`, async () => {
      const property = fc.asyncProperty(body, async (sent) => check(server, { path, body: sent }));
      await fc.assert(property, { numRuns: 400 });
    });
  }

  const seeds = readSeeds();
  assert.ok(Object.keys(seeds).length > 0);
  for (const [name, shot] of Object.entries(seeds)) {
    test(`kept: ${name}`, async () => check(server, shot));
  }
});
