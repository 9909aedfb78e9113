import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { Verdict } from "../../src/admission/handler.ts";
import type { RoomAnswer, RoomNeed } from "../../src/admission/room-needed.ts";
import { withRoom } from "../../src/server/with-room.ts";

const NEED: RoomNeed = {
  volume: { namespace: "app", name: "data" },
  volumeName: "app.data",
  backup: { namespace: "velero", name: "nightly-1" },
  waitMs: 5_000,
};
const verdict: Verdict = {
  outcome: { code: "labelled", edits: {}, room: NEED, audit: { room: "needed", reason: "asked" } },
  patch: [{ op: "remove", path: "/x" }],
  audited: false,
};

/** What was asked and what was made of the answer; the answer takes 250 ms of the clock. */
async function waited(
  url: string,
  answer: RoomAnswer = { kind: "granted" },
  decidedAfter = 0,
): Promise<{ verdict: Verdict; waitMs: number | undefined }> {
  let now = 100 + decidedAfter;
  let waitMs: number | undefined;
  const found = await withRoom(verdict, {
    url,
    start: 100,
    clock: () => now,
    room: {
      async ask(need) {
        waitMs = need.waitMs;
        now += 0.25;
        return answer;
      },
    },
  });
  return { verdict: found, waitMs };
}

describe("a snapshot waits for room", () => {
  const times: Record<string, { url: string; decidedAfter?: number; waitMs: number }> = {
    "as long as the policy says": { url: "/mutate?timeout=10s", waitMs: 5_000 },
    "no longer than the API server waits, less the way of the answer": {
      url: "/mutate?timeout=5s",
      waitMs: 3_500,
    },
    "no longer than what deciding left": { url: "/mutate?timeout=5s", decidedAfter: 2, waitMs: 1_500 },
    "not at all where there is no time": { url: "/mutate?timeout=1s", waitMs: 0 },
    "also where the timeout is written in minutes": { url: "/mutate?timeout=1m0s", waitMs: 5_000 },
    "also where the API server says no timeout": { url: "/mutate", waitMs: 5_000 },
  };
  for (const [name, { url, decidedAfter, waitMs }] of Object.entries(times)) {
    test(name, async () => {
      assert.equal((await waited(url, { kind: "granted" }, decidedAfter)).waitMs, waitMs);
    });
  }

  test("and says that there is room", async () => {
    const { outcome, patch } = (await waited("/mutate?timeout=10s")).verdict;
    assert.equal(outcome.code, "labelled");
    assert.equal(outcome.warnings, undefined);
    assert.deepEqual(outcome.audit, { room: "granted", reason: "there is room for it", roomWaitMs: "250" });
    assert.deepEqual(patch, verdict.patch);
  });

  const answers: Record<string, [RoomAnswer, string]> = {
    "there is none": [{ kind: "none", reason: "all are pinned" }, "all are pinned"],
    "nobody answered": [{ kind: "late" }, "no answer within 250 ms"],
    "nobody could be asked": [{ kind: "failed", reason: "403" }, "403"],
  };
  for (const [name, [answer, reason]] of Object.entries(answers)) {
    test(`and is made all the same where ${name}, with a warning`, async () => {
      const { outcome, patch } = (await waited("/mutate?timeout=10s", answer)).verdict;
      assert.equal(outcome.code, "no_room");
      assert.deepEqual(outcome.audit, { room: answer.kind, reason, roomWaitMs: "250" });
      assert.deepEqual(outcome.warnings, [
        `snapshot-retainer: app.data: no room was made, so the storage may refuse this snapshot: ${reason}`,
      ]);
      assert.deepEqual(patch, verdict.patch);
    });
  }

  test("for nobody, where nobody needs it or nobody can be asked", async () => {
    const waiting = { url: "/mutate", start: 0, clock: () => 0 };
    assert.equal(await withRoom(verdict, waiting), verdict);
    const content: Verdict = { ...verdict, outcome: { code: "labelled" } };
    assert.equal(await withRoom(content, waiting), content);
  });
});
