import assert from "node:assert/strict";
import { once } from "node:events";
import type { IncomingMessage } from "node:http";
import { request } from "node:https";
import { text } from "node:stream/consumers";
import * as z from "zod";
import { INHERITED_ANNOTATION } from "../../src/kube/keys.ts";
import { print } from "./figures.ts";
import type { Server } from "./servers.ts";

const Answer = z.object({ response: z.looseObject({ patch: z.string() }) });
const Patch = z.array(z.looseObject({ path: z.string(), value: z.unknown() }));

/** Prints how long each server's answer is; throws where the bare handler answers anything else than the product. */
export async function compareAnswers(servers: readonly Server[], kind: string, body: string): Promise<void> {
  const answers = new Map<string, string>();
  for (const { name, port } of servers) {
    answers.set(name, await ask(port, body));
  }
  const lengths = [...answers].map(([name, answer]) => `${name} ${answer.length}`);
  print(`\n${kind}: ${Buffer.byteLength(body)} bytes; its answer: ${lengths.join(", ")}`);
  assert.deepEqual(meaning(answers.get("bare")), meaning(answers.get("ours")));
}

async function ask(port: number, body: string): Promise<string> {
  const asked = request({
    port,
    host: "127.0.0.1",
    path: "/mutate",
    method: "POST",
    rejectUnauthorized: false,
  });
  asked.end(body);
  const [answer] = z.tuple([z.custom<IncomingMessage>()]).parse(await once(asked, "response"));
  return text(answer);
}

/** All of an answer but the signature in its document, which the bare handler cannot make. */
function meaning(answer = ""): unknown {
  const { response } = Answer.parse(JSON.parse(answer));
  const steps = Patch.parse(JSON.parse(Buffer.from(response.patch, "base64").toString()));
  const document = INHERITED_ANNOTATION.replace("/", "~1");
  const patch = steps.map((step) =>
    step.path.endsWith(document) ? { ...step, value: unsigned(z.string().parse(step.value)) } : step,
  );
  return { ...response, patch };
}

function unsigned(document: string): unknown {
  return { ...z.looseObject({}).parse(JSON.parse(document)), signature: "" };
}
