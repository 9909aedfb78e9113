import assert from "node:assert/strict";
import { test } from "node:test";
import { applyRoomWork, roomWork } from "../../src/controller/room-answers.ts";
import type { Writes } from "../../src/controller/writes.ts";
import type { Lease } from "../../src/kube/lease.ts";
import { ApiError } from "../../src/kube/rest.ts";
import { parseAnswer } from "../../src/kube/room.ts";
import type { RoomAnswer } from "../../src/retention/plan.ts";

const ANSWER = "snapshot-retainer.io/room-answer";

function aLease(holder: string, answer?: string): Lease {
  return {
    metadata: {
      namespace: "ours",
      name: "room-1",
      uid: "uid",
      resourceVersion: "9",
      annotations: answer === undefined ? {} : { [ANSWER]: answer },
    },
    spec: { holderIdentity: holder },
  };
}

function anAnswer(answer: RoomAnswer["answer"], reason = "why"): RoomAnswer {
  const volume = { namespace: "shop", name: "data" };
  return {
    reservation: { volume, volumeName: "shop.data", holder: "id-1", seenAtMs: 0, askedAtMs: 0 },
    answer,
    reason,
  };
}

const cases: Record<string, { answer: RoomAnswer; lease: Lease; due: boolean }> = {
  "a grant is written": { answer: anAnswer("granted"), lease: aLease("id-1"), due: true },
  "a refusal is written": { answer: anAnswer("none"), lease: aLease("id-1"), due: true },
  "a grant is written once": {
    answer: anAnswer("granted"),
    lease: aLease("id-1", "id-1 granted"),
    due: false,
  },
  "a refusal is written once, whatever its words": {
    answer: anAnswer("none", "another"),
    lease: aLease("id-1", "id-1 none: why"),
    due: false,
  },
  "an answer to an earlier question is none": {
    answer: anAnswer("granted"),
    lease: aLease("id-1", "id-0 granted"),
    due: true,
  },
  "while it has to wait nothing is written": { answer: anAnswer("wait"), lease: aLease("id-1"), due: false },
  "what is over is removed": {
    answer: anAnswer("consumed"),
    lease: aLease("id-1", "id-1 granted"),
    due: true,
  },
  "what lapsed is removed": { answer: anAnswer("lapsed"), lease: aLease("id-1"), due: true },
  "a question that was asked anew meanwhile is another": {
    answer: anAnswer("granted"),
    lease: aLease("id-2"),
    due: false,
  },
};
for (const [name, { answer, lease, due }] of Object.entries(cases)) {
  test(name, () => {
    const ref = { namespace: "ours", name: "room-1", uid: "uid", resourceVersion: "9" };
    assert.deepEqual(roomWork([answer], [lease]), due ? [{ lease: ref, answer }] : []);
  });
}

/** The writes that were made of one answer, and whether it was taken. */
async function applied(answer: RoomAnswer, error?: Error): Promise<{ lines: string[]; taken: boolean }> {
  const lines: string[] = [];
  function note(line: string): void {
    lines.push(line);
    if (error !== undefined) throw error;
  }
  const writes: Writes = {
    patch: async (path, { uid, resourceVersion }, change) =>
      note(`PATCH ${path} ${uid}@${resourceVersion} ${JSON.stringify(change)}`),
    create: async () => assert.fail(),
    remove: async (path, { uid, resourceVersion }) => note(`DELETE ${path} ${uid}@${resourceVersion}`),
  };
  const [work] = roomWork([answer], [aLease("id-1")]);
  assert.ok(work !== undefined);
  return { taken: await applyRoomWork(work, writes), lines };
}

const PATH = "/apis/coordination.k8s.io/v1/namespaces/ours/leases/room-1";

test("the webhook reads what is written", async () => {
  for (const [answer, want] of [
    [anAnswer("granted"), { kind: "granted" }],
    [anAnswer("none", "all are pinned: 2 of 2"), { kind: "none", reason: "all are pinned: 2 of 2" }],
  ] as const) {
    const { lines, taken } = await applied(answer);
    const [, text = ""] =
      /^PATCH \S+ uid@9 .*"snapshot-retainer.io\/room-answer":"([^"]*)"/.exec(lines[0] ?? "") ?? [];
    assert.deepEqual(parseAnswer(text), { holder: "id-1", answer: want });
    assert.equal(taken, true);
  }
});

test("what is over is removed in the version that was decided about", async () => {
  assert.deepEqual((await applied(anAnswer("lapsed"))).lines, [`DELETE ${PATH} uid@9`]);
});

test("a question that was asked again meanwhile is left to the next plan", async () => {
  for (const status of [404, 409]) {
    assert.equal((await applied(anAnswer("granted"), new ApiError(status, "no"))).taken, false);
  }
  await assert.rejects(applied(anAnswer("granted"), new ApiError(403, "no")), /no/);
});
