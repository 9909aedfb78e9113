import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { Replica } from "../../certs/confirmation.ts";
import { createReplicaLeases, newsOf } from "../../certs/replica-leases.ts";
import type { Rest } from "../../src/kube/rest.ts";

const LEASE_MS = 60_000;
const own: Replica = { identity: "serving-a", certificate: "c", ca: "ca", trusts: ["ca"] };

/** What is in the namespace besides our own; each entry is one other replica's Lease. */
function aLease(name: string, version: string): object {
  return {
    metadata: {
      name,
      resourceVersion: version,
      annotations: {
        "snapshot-retainer.io/serving-certificate": "theirs",
        "snapshot-retainer.io/serving-ca": "",
        "snapshot-retainer.io/trusted-cas": "one,two",
      },
    },
    spec: {},
  };
}

/** Our own port to the API, with Leases that a test sets; the real one is in the end-to-end tests. */
function scene(): {
  readonly leases: ReturnType<typeof createReplicaLeases>;
  readonly calls: string[];
  items: object[];
  now: number;
} {
  const calls: string[] = [];
  const state = { items: [] as object[], now: 0, calls };
  const rest: Rest = {
    async call(method, path) {
      calls.push(`${method} ${path.split("/").at(-1) ?? ""}`);
      return { items: state.items };
    },
    get: async () => undefined,
  };
  const leases = createReplicaLeases({
    rest,
    namespace: "home",
    identity: "serving-a",
    leaseMs: LEASE_MS,
    clock: () => state.now,
    now: () => new Date(0),
  });
  return Object.assign(state, { leases });
}

describe("the Leases of replicas", () => {
  test("give what the others say, and of ourselves what we say now", async () => {
    const at = scene();
    at.items = [aLease("serving-a", "1"), aLease("serving-b", "1")];
    assert.deepEqual(await at.leases.exchange(own), [
      own,
      { identity: "serving-b", certificate: "theirs", ca: undefined, trusts: ["one", "two"] },
    ]);
  });

  test("forgets a replica that says nothing more for a minute, and hears it again", async () => {
    const at = scene();
    const heard: number[] = [];
    for (const [now, version] of [
      [0, "1"],
      [20_000, "1"],
      [40_000, "1"],
      [60_000, "1"],
      [80_000, "2"],
    ] as const) {
      at.now = now;
      at.items = [aLease("serving-b", version)];
      heard.push((await at.leases.exchange(own)).length);
    }
    assert.deepEqual(heard, [2, 2, 2, 1, 2]);
  });

  test("takes everybody to be alive after it could not look for a while", async () => {
    const at = scene();
    at.items = [aLease("serving-b", "1")];
    await at.leases.exchange(own);
    at.now = 10 * LEASE_MS;
    assert.equal((await at.leases.exchange(own)).length, 2);
  });

  test("are written when something is new, and renewed four times within their duration", async () => {
    const at = scene();
    for (const now of [0, 1_000, 14_000, 15_000]) {
      at.now = now;
      await at.leases.exchange(own);
    }
    await at.leases.exchange({ ...own, trusts: [] });
    assert.equal(at.calls.filter((call) => call === "PATCH serving-a").length, 3);
  });

  test("are removed where somebody left one behind ten durations ago", async () => {
    const at = scene();
    at.items = [aLease("serving-b", "1")];
    for (at.now = 0; at.now <= 10 * LEASE_MS; at.now += 20_000) await at.leases.exchange(own);
    assert.deepEqual(
      at.calls.filter((call) => call.startsWith("DELETE")),
      ["DELETE serving-b"],
    );
  });

  test("are news to others for what they say, not for being renewed", () => {
    assert.equal(newsOf(aLease("serving-b", "1")), newsOf(aLease("serving-b", "2")));
    assert.equal(newsOf("rubbish"), undefined);
  });
});
