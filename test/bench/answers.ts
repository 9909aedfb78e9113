import assert from "node:assert/strict";
import { once } from "node:events";
import type { IncomingMessage } from "node:http";
import { request } from "node:https";
import { text } from "node:stream/consumers";
import { apply_patch } from "jsonpatch";
import * as z from "zod";
import { INHERITED_ANNOTATION } from "../../src/kube/keys.ts";
import { print } from "./figures.ts";
import type { Server } from "./servers.ts";

/** Prints how long each server's answer is; throws where one makes anything else of the object than the product does. */
export async function compareAnswers(servers: readonly Server[], kind: string, body: string): Promise<void> {
  const answers = new Map<string, string>();
  for (const server of servers) {
    answers.set(server.name, await ask(server, body));
  }
  const lengths = [...answers].map(([name, answer]) => `${name} ${answer.length}`);
  print(`\n${kind}: ${Buffer.byteLength(body)} bytes; its answer: ${lengths.join(", ")}`);
  const [ours = "", bare] = [answers.get("ours"), answers.get("bare")];
  for (const [name, answer] of answers) {
    assert.deepEqual(madeOf(body, answer), madeOf(body, ours), name);
  }
  if (bare !== undefined) assert.deepEqual(auditOf(bare), auditOf(ours));
}

/** One review, and the answer's text. */
export async function ask({ port, path }: Pick<Server, "port" | "path">, body: string): Promise<string> {
  const asked = request({ port, host: "127.0.0.1", path, method: "POST", rejectUnauthorized: false });
  asked.setHeader("content-type", "application/json");
  asked.end(body);
  const [answer] = z.tuple([z.custom<IncomingMessage>()]).parse(await once(asked, "response"));
  return text(answer);
}

const Review = z.object({ request: z.object({ object: z.unknown() }) });
const Answer = z.object({
  response: z.object({ patch: z.string(), auditAnnotations: z.record(z.string(), z.string()).optional() }),
});
const Made = z.looseObject({
  metadata: z.looseObject({
    labels: z.record(z.string(), z.string()).optional(),
    annotations: z.record(z.string(), z.string()),
  }),
});

/** Labels and annotations that come of an answer, but the signature, which only the product can make, and what Pepr says of itself. */
function madeOf(body: string, answer: string): unknown {
  const patch: unknown = JSON.parse(
    Buffer.from(Answer.parse(JSON.parse(answer)).response.patch, "base64").toString(),
  );
  const { object } = Review.parse(JSON.parse(body)).request;
  const { labels, annotations } = Made.parse(apply_patch(object, z.array(z.any()).parse(patch))).metadata;
  const { [INHERITED_ANNOTATION]: document, ...others } = annotations;
  const kept = Object.entries(others).filter(([key]) => !key.includes(".pepr.dev/"));
  return { labels, annotations: Object.fromEntries(kept), document: unsigned(document ?? "{}") };
}

function unsigned(document: string): unknown {
  return { ...z.looseObject({}).parse(JSON.parse(document)), signature: "" };
}

function auditOf(answer: string): unknown {
  return Answer.parse(JSON.parse(answer)).response.auditAnnotations;
}
