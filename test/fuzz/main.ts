import { inspect } from "node:util";
import fc from "fast-check";
import { startServer } from "../builders/server.ts";
import { aContext } from "../builders/context.ts";
import { ACME, aPolicy } from "../builders/policy.ts";
import { body } from "./bodies.ts";
import { check, PATHS } from "./oracle.ts";
import type { Shot } from "./oracle.ts";
import { saveSeed } from "./seeds.ts";

/**
 * Sends bodies to the real request path until the time is over: `npm run fuzz`, or `npm run fuzz -- 60` for an hour. What fails is
 * made as small as it gets, printed, and kept under seeds/, from where the unit tests send it again.
 */
const minutes = Number(process.argv[2] ?? 5);
const policy = aPolicy({ snapshotAssociatedObjects: [ACME] });
const server = await startServer(() => aContext({ policy }));
let runs = 0;
/** The last that failed, which is the smallest: fast-check goes on from each failure to smaller ones. */
let failed: { readonly shot: Shot; readonly error: unknown } | undefined;
const property = fc.asyncProperty(fc.constantFrom(...PATHS), body, async (path, sent) => {
  runs += 1;
  // Answers are told of; nobody reads them here.
  server.answered.length = 0;
  const shot: Shot = { path, body: sent };
  await check(server, shot).catch((error: unknown) => {
    failed = { shot, error };
    throw error;
  });
});
const { seed } = await fc.check(property, {
  numRuns: Number.MAX_SAFE_INTEGER,
  plugins: [fc.interruptAfterTimeLimit(minutes * 60_000)],
});
await server.stop();
process.stdout.write(`${runs} bodies in ${minutes} minutes, seed ${seed}\n`);
if (failed !== undefined) {
  const { shot, error } = failed;
  const lines = [
    `FAILED: ${saveSeed(shot)}`,
    shot.path,
    Buffer.from(shot.body).toString("utf8"),
    inspect(error),
  ];
  process.stdout.write(`${lines.join("\n")}\n`);
  process.exitCode = 1;
}
