import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { RoomNeed } from "../../src/admission/room-needed.ts";
import { ROOM_ANSWER_ANNOTATION } from "../../src/kube/keys.ts";
import { Lease } from "../../src/kube/lease.ts";
import { ApiError } from "../../src/kube/rest.ts";
import { createRoom, parseAnswer, roomLeaseName } from "../../src/kube/room.ts";
import type { Room } from "../../src/kube/room.ts";

const NEED: RoomNeed = {
  volume: { namespace: "app", name: "data" },
  volumeName: "app.data",
  backup: { namespace: "velero", name: "nightly-1" },
  waitMs: 60_000,
};
// printf app/data/velero/nightly-1 | sha256sum
const NAME = "snapshot-retainer-room-23f2299c79b78a26";
const LEASES = "/apis/coordination.k8s.io/v1/namespaces/ns/leases";

interface Call {
  readonly method: string;
  readonly path: string;
  readonly holder: string;
  readonly body: unknown;
}

interface Asked {
  readonly room: Room;
  readonly calls: Call[];
}

/** Holders count up from h1; `onCall` runs while a call is under way: our own port, no API server. */
function aRoom(onCall: (call: Call, room: Room) => void | Promise<void> = () => undefined): Asked {
  const calls: Call[] = [];
  let holders = 0;
  const room = createRoom({
    rest: {
      async call(method, path, { body } = {}) {
        const holder = Lease.parse(body).spec?.holderIdentity ?? "";
        const call = { method, path, holder, body };
        calls.push(call);
        await onCall(call, room);
        return {};
      },
    },
    namespace: "ns",
    randomId: () => `h${(holders += 1)}`,
    now: () => new Date("2026-11-24T10:00:00Z"),
  });
  return { room, calls };
}

/** The Lease as the watch shows it. */
function seen(holder: string, answer?: string, name = NAME): Lease {
  const annotations = answer === undefined ? {} : { [ROOM_ANSWER_ANNOTATION]: answer };
  return { metadata: { name, annotations }, spec: { holderIdentity: holder } };
}

async function settled(): Promise<void> {
  await new Promise((resolve) => {
    setImmediate(resolve);
  });
}

describe("asking for room", () => {
  test("writes a Lease for the snapshot that says who asks, for what, and for how long", async () => {
    const { room, calls } = aRoom((_call, asked) => asked.update(seen("h1", "h1 granted"), undefined));
    assert.deepEqual(await room.ask(NEED), { kind: "granted" });
    assert.deepEqual(calls, [
      {
        method: "POST",
        path: LEASES,
        holder: "h1",
        body: {
          apiVersion: "coordination.k8s.io/v1",
          kind: "Lease",
          metadata: {
            name: NAME,
            labels: {
              "app.kubernetes.io/name": "snapshot-retainer",
              "velero.io/exclude-from-backup": "true",
              "snapshot-retainer.io/room": "true",
            },
            annotations: {
              "snapshot-retainer.io/volume": "app/data",
              "snapshot-retainer.io/volume-name": "app.data",
              "snapshot-retainer.io/backup": "velero/nightly-1",
            },
          },
          spec: { holderIdentity: "h1", leaseDurationSeconds: 60, renewTime: "2026-11-24T10:00:00.000000Z" },
        },
      },
    ]);
  });

  test("renews the Lease that the snapshot has already", async () => {
    const { room, calls } = aRoom((_call, asked) => asked.update(seen("h1", "h1 granted"), undefined));
    room.update(seen("earlier", "earlier granted"), undefined);
    assert.deepEqual(await room.ask(NEED), { kind: "granted" });
    assert.deepEqual(
      calls.map(({ method, path }) => [method, path]),
      [["PATCH", `${LEASES}/${NAME}`]],
    );
  });

  test("makes a new one when the one it knew has gone", async () => {
    const { room, calls } = aRoom((_call, asked) => asked.update(seen("h1", "h1 granted"), undefined));
    room.update(seen("earlier"), undefined);
    room.update(undefined, seen("earlier"));
    await room.ask(NEED);
    assert.deepEqual(
      calls.map(({ method }) => method),
      ["POST"],
    );
  });

  const surprises: Record<string, { known: boolean; status: number; methods: string[] }> = {
    "renews one that came in the meantime": { known: false, status: 409, methods: ["POST", "PATCH"] },
    "makes one that went in the meantime": { known: true, status: 404, methods: ["PATCH", "POST"] },
  };
  for (const [name, { known, status, methods }] of Object.entries(surprises)) {
    test(name, async () => {
      const { room, calls } = aRoom((call, asked) => {
        if (call.method === methods[0]) {
          throw new ApiError(status, "surprise");
        }
        asked.update(seen("h1", "h1 granted"), undefined);
      });
      if (known) {
        room.update(seen("earlier"), undefined);
      }
      assert.deepEqual(await room.ask(NEED), { kind: "granted" });
      assert.deepEqual(
        calls.map(({ method }) => method),
        methods,
      );
    });
  }

  test("says why it could not ask", async () => {
    const { room } = aRoom(() => {
      throw new ApiError(403, "leases is forbidden");
    });
    assert.deepEqual(await room.ask(NEED), { kind: "failed", reason: "leases is forbidden" });
  });

  test("passes on why there is none", async () => {
    const { room } = aRoom((_call, asked) => asked.update(seen("h1", "h1 none: all are pinned"), undefined));
    assert.deepEqual(await room.ask(NEED), { kind: "none", reason: "all are pinned" });
  });

  test("hears an answer that comes long after the question", async () => {
    const { room } = aRoom();
    const answer = room.ask(NEED);
    await settled();
    room.update(seen("h1"), undefined);
    room.update(seen("h1", "h1 granted"), seen("h1"));
    assert.deepEqual(await answer, { kind: "granted" });
  });

  test("does not take the answer to an earlier question, or of another volume, for its own", async () => {
    const { room, calls } = aRoom();
    const answer = room.ask({ ...NEED, waitMs: 50 });
    await settled();
    room.update(seen("h1", "earlier granted"), undefined);
    room.update(seen("h1", "h1 granted much"), undefined);
    room.update(seen("x", "x granted", "snapshot-retainer-room-0000000000000000"), undefined);
    assert.deepEqual(await answer, { kind: "late" });
    assert.equal(calls.length, 1);
  });

  test("is told what another request for the same snapshot was told", async () => {
    const { room, calls } = aRoom();
    const answer = room.ask(NEED);
    await settled();
    room.update(seen("another"), undefined);
    room.update(seen("another", "another granted"), undefined);
    assert.deepEqual(await answer, { kind: "granted" });
    assert.equal(calls.length, 1);
  });

  test("is not misled by the last answer, seen before the question was written", async () => {
    const { room, calls } = aRoom((_call, asked) => {
      asked.update(seen("earlier", "earlier granted"), undefined);
      asked.update(seen("h1", "h1 granted"), undefined);
    });
    assert.deepEqual(await room.ask(NEED), { kind: "granted" });
    assert.equal(calls.length, 1);
  });

  test("is late after its time, though the call has not even ended", async () => {
    const { room } = aRoom(async () => new Promise<void>(() => undefined));
    assert.deepEqual(await room.ask({ ...NEED, waitMs: 20 }), { kind: "late" });
  });

  test("asks nobody where there is no time", async () => {
    const { room, calls } = aRoom();
    assert.deepEqual(await room.ask({ ...NEED, waitMs: 0 }), { kind: "late" });
    assert.deepEqual(calls, []);
  });
});

test("the Lease of a snapshot has the same name everywhere, and another than that of another Backup", () => {
  assert.equal(roomLeaseName(NEED), NAME);
  const long = { ...NEED, volume: { namespace: "n".repeat(63), name: "p".repeat(253) } };
  assert.match(roomLeaseName(long), /^snapshot-retainer-room-[0-9a-f]{16}$/);
  assert.notEqual(roomLeaseName({ ...NEED, backup: { namespace: "velero-2", name: "nightly-1" } }), NAME);
});

describe("an answer", () => {
  const cases: Record<string, ReturnType<typeof parseAnswer>> = {
    "h granted": { holder: "h", answer: { kind: "granted" } },
    "h none: 3 are pinned": { holder: "h", answer: { kind: "none", reason: "3 are pinned" } },
    "h none": { holder: "h", answer: { kind: "none", reason: "" } },
    "h maybe": undefined,
    granted: undefined,
    " granted": undefined,
    "": undefined,
  };
  for (const [text, want] of Object.entries(cases)) {
    test(JSON.stringify(text), () => assert.deepEqual(parseAnswer(text), want));
  }
  test("is not there", () => assert.equal(parseAnswer(undefined), undefined));
});
