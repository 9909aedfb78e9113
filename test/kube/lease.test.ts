import assert from "node:assert/strict";
import { test } from "node:test";
import { decideLeaseStep, heldSpec, isHeldBy, observe, releasedSpec } from "../../src/kube/lease.ts";
import type { Lease, LeaseStep, Observed } from "../../src/kube/lease.ts";

const NOW = 1_000_000;

/** A Lease of the name's holder, in its third term. */
function aLease(spec: Lease["spec"]): Lease {
  return { metadata: {}, spec: { leaseDurationSeconds: 15, leaseTransitions: 3, ...spec } };
}

/** What a process knows that first saw the record as it is this long ago. */
function seen(agoMs: number): Observed {
  return { record: { text: "whatever", at: NOW - agoMs } };
}

/** What the leader of term 3 knows that renewed this long ago. */
function leading(renewedAgoMs: number): Observed {
  return { ...seen(renewedAgoMs), held: { transitions: 3, renewedAt: NOW - renewedAgoMs } };
}

const cases: Record<string, { lease: Lease | undefined; observed: Observed; want: LeaseStep }> = {
  "takes a Lease that is not there": {
    lease: undefined,
    observed: {},
    want: { kind: "acquire", transitions: 1 },
  },
  "takes a Lease that was given up": {
    lease: aLease({ holderIdentity: "" }),
    observed: seen(0),
    want: { kind: "acquire", transitions: 4 },
  },
  "takes a Lease without a spec": {
    lease: { metadata: {} },
    observed: seen(0),
    want: { kind: "acquire", transitions: 1 },
  },
  "takes what it wrote without hearing of it, as a new term": {
    lease: aLease({ holderIdentity: "me" }),
    observed: seen(0),
    want: { kind: "acquire", transitions: 4 },
  },
  "looks again soon while somebody else holds it": {
    lease: aLease({ holderIdentity: "other" }),
    observed: seen(1_000),
    want: { kind: "wait", until: NOW + 2_000 },
  },
  "looks again at the very moment it lapses": {
    lease: aLease({ holderIdentity: "other" }),
    observed: seen(14_500),
    want: { kind: "wait", until: NOW + 500 },
  },
  "takes it when the record stood still for its duration": {
    lease: aLease({ holderIdentity: "other" }),
    observed: seen(15_000),
    want: { kind: "acquire", transitions: 4 },
  },
  "grants the duration that the holder wrote": {
    lease: aLease({ holderIdentity: "other", leaseDurationSeconds: 60 }),
    observed: seen(59_000),
    want: { kind: "wait", until: NOW + 1_000 },
  },
  "grants 15 seconds where none is written": {
    lease: aLease({ holderIdentity: "other", leaseDurationSeconds: null }),
    observed: seen(14_999),
    want: { kind: "wait", until: NOW + 1 },
  },
  "believes no clock but its own: times in the record are long past": {
    lease: aLease({ holderIdentity: "other", renewTime: "1999-01-01T00:00:00.000000Z" }),
    observed: seen(0),
    want: { kind: "wait", until: NOW + 2_000 },
  },
  "believes no clock but its own: times in the record are far ahead": {
    lease: aLease({ holderIdentity: "other", renewTime: "2999-01-01T00:00:00.000000Z" }),
    observed: seen(15_000),
    want: { kind: "acquire", transitions: 4 },
  },
  "waits for the next renewal": {
    lease: aLease({ holderIdentity: "me" }),
    observed: leading(1_000),
    want: { kind: "wait", until: NOW + 4_000 },
  },
  "renews in time": {
    lease: aLease({ holderIdentity: "me" }),
    observed: leading(5_000),
    want: { kind: "renew", transitions: 3 },
  },
  "gives up what it could not renew, before anybody else may take it": {
    lease: aLease({ holderIdentity: "me" }),
    observed: leading(10_000),
    want: { kind: "lost", reason: "not renewed for 10 s" },
  },
  "lost it to somebody else": {
    lease: aLease({ holderIdentity: "other" }),
    observed: leading(1_000),
    want: { kind: "lost", reason: 'the Lease is held by "other" in term 3' },
  },
  "lost it when it is its own again, but in another term": {
    lease: aLease({ holderIdentity: "me", leaseTransitions: 5 }),
    observed: leading(1_000),
    want: { kind: "lost", reason: 'the Lease is held by "me" in term 5' },
  },
  "lost it when somebody removed it": {
    lease: undefined,
    observed: leading(1_000),
    want: { kind: "lost", reason: 'the Lease is held by "" in term 0' },
  },
};

for (const [name, { lease, observed, want }] of Object.entries(cases)) {
  test(`the elector ${name}`, () => {
    assert.deepEqual(decideLeaseStep(lease, "me", observed, NOW), want);
  });
}

test("the time of a record starts again with each change of it", () => {
  const first = observe({}, aLease({ holderIdentity: "other", renewTime: "1" }), 10);
  const same = observe(first, aLease({ holderIdentity: "other", renewTime: "1" }), 20);
  const renewed = observe(same, aLease({ holderIdentity: "other", renewTime: "2" }), 30);
  const gone = observe(renewed, undefined, 40);
  assert.deepEqual(
    [first, same, renewed, gone].map(({ record }) => record?.at),
    [10, 10, 30, 40],
  );
});

test("the fence lets only the holder's own term through", () => {
  const held = { transitions: 3, renewedAt: NOW };
  assert.equal(isHeldBy(aLease({ holderIdentity: "me" }), "me", held), true);
  assert.equal(isHeldBy(aLease({ holderIdentity: "other" }), "me", held), false);
  assert.equal(isHeldBy(aLease({ holderIdentity: "me", leaseTransitions: 4 }), "me", held), false);
  assert.equal(isHeldBy(undefined, "me", held), false);
});

test("what is written is what others need to wait, or not to", () => {
  const at = new Date("2026-01-02T03:04:05.678Z");
  const renewTime = "2026-01-02T03:04:05.678000Z";
  assert.deepEqual(heldSpec("me", { transitions: 7 }, at), {
    holderIdentity: "me",
    leaseDurationSeconds: 15,
    renewTime,
    leaseTransitions: 7,
  });
  assert.deepEqual(releasedSpec({ transitions: 7, renewedAt: 0 }, at), {
    holderIdentity: "",
    leaseDurationSeconds: 1,
    renewTime,
    leaseTransitions: 7,
  });
});
