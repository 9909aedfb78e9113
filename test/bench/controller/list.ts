import { readFileSync } from "node:fs";
import { Agent, get } from "node:https";
import * as z from "zod";
import { COLLECTIONS } from "./collections.ts";

/**
 * The least that anybody could do: lists the collections that the controller watches, page by page, and keeps nothing.
 * `list.js SERVER CA TOKEN` prints `{"objects":…}`, and goes on until its standard input ends.
 */
const Page = z.object({
  metadata: z.object({ continue: z.string().optional() }),
  items: z.array(z.unknown()),
});

const [, , server = "", ca = "", token = ""] = process.argv;
const agent = new Agent({ keepAlive: true, ca: readFileSync(ca) });
const counts = await Promise.all(COLLECTIONS.map(async ({ path }) => count(path)));
const objects = counts.reduce((sum, counted) => sum + counted, 0);
process.stdout.write(`${JSON.stringify({ objects })}\n`);
process.stdin.resume().on("end", () => process.exit(0));

async function count(path: string): Promise<number> {
  let counted = 0;
  let next: string | undefined;
  do {
    const query = next === undefined ? "" : `&continue=${encodeURIComponent(next)}`;
    const page = Page.parse(JSON.parse(await read(`${path}?limit=500${query}`)));
    counted += page.items.length;
    next = page.metadata.continue;
  } while (next !== undefined && next !== "");
  return counted;
}

async function read(path: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const headers = { authorization: `Bearer ${token}`, accept: "application/json" };
    get(`${server}${path}`, { agent, headers }, (response) => {
      const chunks: Buffer[] = [];
      response.on("data", (chunk: Buffer) => chunks.push(chunk));
      response.on("end", () => resolve(Buffer.concat(chunks).toString()));
    }).on("error", reject);
  });
}
