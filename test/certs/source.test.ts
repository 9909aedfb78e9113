import assert from "node:assert/strict";
import { describe, test } from "node:test";
import {
  createPairHolder,
  waitForPair,
  type CertificateSource,
  type ServingPair,
} from "../../certs/source.ts";

const log = { info: () => undefined, warn: () => undefined, error: () => undefined };

function aPair(cert: string): ServingPair {
  return { cert, key: "key", ca: "ca", notAfter: new Date(0), names: [] };
}

describe("createPairHolder", () => {
  test("tells each listener of a change, once, and of no repetition", () => {
    const holder = createPairHolder(log);
    const told: string[] = [];
    holder.subscribe(({ cert }) => void told.push(cert));
    assert.deepEqual(
      [holder.offer(aPair("1")), holder.offer(aPair("1")), holder.offer(aPair("2"))],
      [true, false, true],
    );
    assert.deepEqual(told, ["1", "2"]);
  });

  test("goes on when a listener throws", () => {
    const errors: string[] = [];
    const holder = createPairHolder({ ...log, error: (_fields, message) => void errors.push(message) });
    const told: string[] = [];
    holder.subscribe(() => assert.fail("a broken listener"));
    holder.subscribe(({ cert }) => void told.push(cert));
    holder.offer(aPair("1"));
    assert.deepEqual(told, ["1"]);
    assert.deepEqual(errors, ["listener for a new serving certificate failed"]);
  });

  test("tells nobody who has unsubscribed", () => {
    const holder = createPairHolder(log);
    const unsubscribe = holder.subscribe(() => assert.fail("told"));
    unsubscribe();
    holder.offer(aPair("1"));
    assert.equal(holder.current()?.cert, "1");
  });
});

describe("waitForPair", () => {
  function aSource(holder: ReturnType<typeof createPairHolder>): CertificateSource {
    return { ...holder, published: () => false, problem: () => undefined, stop: async () => undefined };
  }

  test("gives the pair that is there", async () => {
    const holder = createPairHolder(log);
    holder.offer(aPair("1"));
    assert.equal((await waitForPair(aSource(holder), AbortSignal.timeout(50))).cert, "1");
  });

  test("gives the pair that comes", async () => {
    const holder = createPairHolder(log);
    const waiting = waitForPair(aSource(holder), AbortSignal.timeout(500));
    holder.offer(aPair("1"));
    assert.equal((await waiting).cert, "1");
  });

  test("rejects with the signal's reason", { timeout: 5_000 }, async () => {
    const stopping = new AbortController();
    const waiting = waitForPair(aSource(createPairHolder(log)), stopping.signal);
    stopping.abort(new Error("enough"));
    await assert.rejects(waiting, /enough/);
  });
});
