import { readFileSync } from "node:fs";
import { Agent, get } from "node:https";
import * as z from "zod";
import { COLLECTIONS } from "./collections.ts";

/**
 * The least that anybody could do: has everything sent that the controller watches, as the beginning of a watch, parses it, and keeps
 * nothing. `watch.js SERVER CA TOKEN` prints `{"objects":…}`, and goes on until its standard input ends.
 */
const WatchEvent = z.object({
  type: z.string(),
  object: z.object({ metadata: z.object({ annotations: z.looseObject({}).optional() }) }),
});

const QUERY = "watch=true&allowWatchBookmarks=true&sendInitialEvents=true&resourceVersionMatch=NotOlderThan";

const [, , server = "", ca = "", token = ""] = process.argv;
const agent = new Agent({ keepAlive: true, ca: readFileSync(ca) });
const counts = await Promise.all(COLLECTIONS.map(async ({ path }) => count(path)));
const objects = counts.reduce((sum, counted) => sum + counted, 0);
process.stdout.write(`${JSON.stringify({ objects })}\n`);
process.stdin.resume().on("end", () => process.exit(0));

/** The API server ends a watch that is too slow for it: then all is sent once more, as to everybody else. */
async function count(path: string): Promise<number> {
  let counted: number | undefined;
  while (counted === undefined) counted = await countOnce(path);
  return counted;
}

/** Undefined where the watch ended before everything had been sent. */
async function countOnce(path: string): Promise<number | undefined> {
  const headers = { authorization: `Bearer ${token}`, accept: "application/json" };
  return new Promise((resolve, reject) => {
    get(`${server}${path}?${QUERY}`, { agent, headers }, (response) => {
      let counted = 0;
      let begun = "";
      response.setEncoding("utf8").on("data", (chunk: string) => {
        const lines = `${begun}${chunk}`.split("\n");
        begun = lines.pop() ?? "";
        for (const line of lines) {
          const { type, object } = WatchEvent.parse(JSON.parse(line));
          if (type === "ADDED") counted += 1;
          if (object.metadata.annotations?.["k8s.io/initial-events-end"] === "true") resolve(counted);
        }
      });
      response.on("close", () => resolve(undefined));
    }).on("error", reject);
  });
}
