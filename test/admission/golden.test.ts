import assert from "node:assert/strict";
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { apply_patch } from "jsonpatch";
import { stringify } from "yaml";
import type { HandlerContext } from "../../src/admission/handler.ts";
import type { RoomAnswer, RoomNeed } from "../../src/admission/room-needed.ts";
import { aContext } from "../builders/context.ts";
import { aLookup } from "../builders/lookup.ts";
import { aPolicy } from "../builders/policy.ts";
import { aRequestBody, aReview } from "../builders/request.ts";
import { readResponse } from "../builders/response.ts";
import { startServer } from "../builders/server.ts";
import type { TestServer } from "../builders/server.ts";
import { GOLDEN_CASES } from "./golden-cases.ts";
import type { GoldenCase } from "./golden-cases.ts";

const DIRECTORY = join(import.meta.dirname, "../golden/admission");

let context: HandlerContext = aContext();
let room: RoomAnswer | undefined;
let asked: RoomNeed[] = [];
let server: TestServer;
before(async () => {
  server = await startServer(() => context, {
    room: {
      async ask(need) {
        asked.push(need);
        return room ?? { kind: "late" };
      },
    },
  });
});
after(async () => server.stop());

/*
 * Each file under test/golden/admission is one request as the API server sends it and the whole answer, the patch
 * decoded. After an intended change: npm exec -- node --test --test-update-snapshots test/admission/golden.test.ts
 */
for (const [name, golden] of Object.entries(GOLDEN_CASES)) {
  test(`golden ${name}`, async (t) => {
    context = contextOf(golden);
    room = golden.room;
    asked = [];
    const request = aRequestBody(golden);
    const { status, text } = await server.post("/mutate?timeout=5s", aReview(request));
    const response = readResponse(text);
    assert.equal(status, 200);
    const { policy, known } = golden;
    const askedOnce = [...asked];
    const file = {
      ...(policy !== undefined && { policy: policy ?? "none was loaded yet" }),
      ...(known !== undefined && { known }),
      request,
      ...(askedOnce.length > 0 && { room: { asked: askedOnce, answer: room } }),
      response,
    };
    t.assert.fileSnapshot(file, join(DIRECTORY, `${name}.yaml`), {
      serializers: [(value) => stringify(value, { lineWidth: 0, aliasDuplicateObjects: false })],
    });

    const patched = apply_patch(structuredClone(golden.object), [...(response.patch ?? [])]);
    const again = await server.post("/mutate", aReview({ ...request, object: patched }));
    assert.equal(readResponse(again.text).patch, undefined, "a second pass over the result changes nothing");
    assert.deepEqual(asked, askedOnce, "a second pass asks for no more room");
  });
}

test("there is no golden file without its case", async () => {
  const files = await readdir(DIRECTORY);
  assert.deepEqual(
    files.map((file) => file.replace(/\.yaml$/, "")).toSorted(),
    Object.keys(GOLDEN_CASES).toSorted(),
  );
});

function contextOf({ policy, known, context: overrides }: GoldenCase): HandlerContext {
  return aContext({
    policy: policy === null ? undefined : aPolicy(policy),
    lookup: aLookup(known),
    ...overrides,
  });
}
