import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { describe, test } from "node:test";
import { bundleOf, casOf, isServable, type Held } from "../../certs/bundle.ts";
import type { Replica } from "../../certs/confirmation.ts";
import { inspectCertificate, splitCertificates } from "../../certs/inspect.ts";
import { issueServing } from "../../certs/issue.ts";
import { missingNames } from "../../certs/names.ts";
import { paceOf } from "../../certs/pace.ts";
import { renew } from "../../certs/renew.ts";
import { decideRotation, type Decision, type Situation } from "../../certs/rotation.ts";
import { aCa, aHeld, someKeys } from "./pair.ts";

/** A user's own CA with an EC key, made by OpenSSL, valid from 2026-11-22 to 2126. */
const EC_CA = `-----BEGIN CERTIFICATE-----
MIIBizCCATGgAwIBAgIUObky25uruhgtBdJ+l/1PsEzu8iAwCgYIKoZIzj0EAwIw
GjEYMBYGA1UEAwwPYSB1c2VyJ3Mgb3duIENBMCAXDTI2MTEyMjIxMDA0M1oYDzIx
MjYxMDI5MjEwMDQzWjAaMRgwFgYDVQQDDA9hIHVzZXIncyBvd24gQ0EwWTATBgcq
hkjOPQIBBggqhkjOPQMBBwNCAATICA7uFpeptTgt2+yHGKQd421ArG485rV7EilS
mLUU71TsN15EFXAqHpF62FAk2swX3ljGoWlDZK3KaCVEHTtno1MwUTAdBgNVHQ4E
FgQUeQu93nfn+gOWtV5aRFtyLcnYHDwwHwYDVR0jBBgwFoAUeQu93nfn+gOWtV5a
RFtyLcnYHDwwDwYDVR0TAQH/BAUwAwEB/zAKBggqhkjOPQQDAgNIADBFAiEA7sBq
PMPM78KHwcx6wQgkAw1bm4P1FLDo/16VoR3aaFYCIEUOM9wDoUnIjxf5YamhIUtt
SWg/Ii1VM25PZdEITDvt
-----END CERTIFICATE-----
`;

const keys = await someKeys();
const DAY_MS = 24 * 3_600_000;
const HOUR_MS = 3_600_000;
const now = new Date("2026-11-23T10:00:00Z");
const names = ["snapshot-retainer.velero.svc", "10.0.0.1", "fd00::1"];
const held = aHeld(keys, { names, now });
const otherCa = aCa(keys.otherCa, now);
/** The CA is two months old, the serving certificate a day. */
const mature = withServing(held, later(59));
const old = aHeld(keys, { names, now: later(-400) });

function later(days: number, hours = 0): Date {
  return new Date(now.getTime() + days * DAY_MS + hours * HOUR_MS);
}

const pace = paceOf(undefined);

/** One replica that serves what is held and has confirmed everything; all is published, and nothing has just changed. */
function aSituation(given: { readonly held: Held | undefined } & Partial<Situation>): Situation {
  const at = given.now ?? now;
  const published = [bundleOf(given.held, at)];
  return {
    serving: undefined,
    names,
    published,
    replicas: [aReplica(given.held, { now: at })],
    pace,
    phaseMs: pace.keepOldMs,
    steadyMs: pace.settleMs,
    now: at,
    ...given,
  };
}

function aReplica(secret: Held | undefined, given: Partial<Replica> & { readonly now?: Date } = {}): Replica {
  const { now: at = now, ...rest } = given;
  const cas = casOf(secret?.caCert, at).map(({ facts }) => facts.fingerprint);
  return { identity: "serving-a", certificate: "the one held", ca: cas[0], trusts: cas, ...rest };
}

interface Case extends Partial<Situation> {
  readonly held: Held | undefined;
  readonly want: readonly [Decision["kind"], reason?: string, sentence?: string];
}

const cases: Record<string, Case> = {
  "leaves what is in order": { held, want: ["nothing"] },
  "leaves names in another order and spelling": {
    held,
    names: ["FD00:0::1", "10.0.0.1", "Snapshot-Retainer.velero.svc", "10.0.0.1"],
    want: ["nothing"],
  },
  "begins where there is no Secret": { held: undefined, replicas: [], want: ["createAll", "SecretAbsent"] },
  "puts back what it serves where the Secret is gone": {
    held: undefined,
    serving: { caCert: held.caCert, cert: held.cert, key: held.key },
    want: ["restore", "SecretAbsent"],
  },
  "puts back what it serves where the Secret was emptied": {
    held: {},
    serving: { caCert: held.caCert, cert: held.cert, key: held.key },
    want: ["restore", "CaUnreadable"],
  },
  "waits for another replica to put its certificate back": {
    held: undefined,
    want: [
      "wait",
      "SecretAbsent",
      "the Secret does not exist; serving-a still has a certificate and will put it back",
    ],
  },
  "waits for that no longer than for a confirmation": {
    held: undefined,
    phaseMs: pace.confirmWithinMs,
    want: ["createAll", "SecretAbsent"],
  },
  "puts nothing back that has expired": {
    held: undefined,
    serving: old,
    replicas: [],
    want: ["createAll", "SecretAbsent"],
  },
  "begins where the Secret is empty": {
    held: {},
    replicas: [],
    want: ["createAll", "CaUnreadable", "the Secret has no ca.crt"],
  },
  "begins anew where ca.crt is damaged": {
    held: { ...held, caCert: "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n" },
    replicas: [],
    want: ["createAll", "CaUnreadable", "the Secret holds a ca.crt that is not a CA certificate"],
  },
  "begins anew where ca.crt is no CA": {
    held: { ...held, caCert: held.cert },
    replicas: [],
    want: ["createAll", "CaUnreadable"],
  },
  "renews a CA that lost its key": {
    held: { ...held, caKey: undefined },
    want: ["addCa", "CaKeyMismatch", "the Secret has no ca.key"],
  },
  "renews a CA whose key is another's": {
    held: { ...held, caKey: keys.otherCa.privateKey },
    want: ["addCa", "CaKeyMismatch"],
  },
  "renews a CA whose key is damaged": {
    held: { ...held, caKey: "no key" },
    want: ["addCa", "CaKeyMismatch"],
  },
  "lets a CA be until two thirds of its life have passed": {
    held,
    now: later(59, 23),
    want: ["reissueServing", "ServingExpired"],
  },
  "renews a CA after two thirds of its life": { held: mature, now: later(60), want: ["addCa", "CaExpiring"] },
  "renews an expired CA": {
    held: old,
    want: ["addCa", "CaExpired", "the CA expired at 2026-01-17T10:00:00.000Z"],
  },
  "renews a CA from the future": { held, now: later(-2), want: ["addCa", "CaNotYetValid"] },
  "tolerates a clock an hour behind": { held, now: later(0, -1), want: ["nothing"] },
  "reissues a missing serving certificate": {
    held: { ...held, cert: undefined },
    want: ["reissueServing", "ServingUnreadable", "the Secret has no tls.crt"],
  },
  "reissues a damaged serving certificate": {
    held: { ...held, cert: "half a cert" },
    want: ["reissueServing", "ServingUnreadable"],
  },
  "reissues a serving certificate without its key": {
    held: { ...held, key: undefined },
    want: ["reissueServing", "ServingKeyMismatch", "the Secret has no tls.key"],
  },
  "reissues a serving certificate with another key": {
    held: { ...held, key: keys.ca.privateKey },
    want: ["reissueServing", "ServingKeyMismatch"],
  },
  "lets a serving certificate be until two thirds of its life have passed": {
    held,
    now: later(9, 7),
    want: ["nothing"],
  },
  "reissues a serving certificate after two thirds of its life": {
    held,
    now: later(9, 8),
    want: ["reissueServing", "ServingExpiring"],
  },
  "reissues an expired serving certificate": {
    held,
    now: later(15),
    want: ["reissueServing", "ServingExpired", "the serving certificate expired at 2026-12-07T10:00:00.000Z"],
  },
  "reissues a serving certificate from the future": {
    held: { ...aHeld(keys, { names, now: later(2) }), caCert: held.caCert },
    want: ["reissueServing", "ServingNotYetValid"],
  },
  "reissues what the CA did not sign": {
    held: { ...held, caCert: otherCa, caKey: keys.otherCa.privateKey },
    want: ["reissueServing", "ServingUntrusted"],
  },
  "leaves what an older CA of the bundle signed": {
    held: { ...held, caCert: otherCa + String(held.caCert), caKey: keys.otherCa.privateKey },
    want: ["wait", "OldCaInUse"],
  },
  "reissues for a name more": {
    held,
    names: [...names, "more.example"],
    want: [
      "reissueServing",
      "ServingLacksName",
      "the serving certificate is for snapshot-retainer.velero.svc, 10.0.0.1, FD00:0:0:0:0:0:0:1 and not for more.example",
    ],
  },
  "leaves a name too many until the next renewal": { held, names: names.slice(1), want: ["nothing"] },
  "renews a CA that is not RSA": {
    held: { ...held, caCert: EC_CA },
    want: ["addCa", "CaNotRsa", "the CA in the Secret has a key of type ec, and only RSA can be issued from"],
  },
};

/** In the middle of a rotation: the other CA is published and shall sign next. */
const halfway: Held = { ...held, caCert: held.caCert + otherCa, nextKey: keys.otherCa.privateKey };
/** After it: the other CA signs, the first one is still trusted. */
const switched: Held = {
  ...aHeld({ ...keys, ca: keys.otherCa }, { names, now }),
  caKey: keys.otherCa.privateKey,
};
const [newCa = ""] = splitCertificates(switched.caCert);
const both: Held = { ...switched, caCert: newCa + held.caCert };

const rotating: Record<string, Case> = {
  "lets the next CA sign once every webhook and every replica trusts it": {
    held: halfway,
    replicas: [aReplica(halfway), aReplica(halfway, { identity: "serving-b" })],
    want: ["switchCa", "NextCaConfirmed"],
  },
  "waits until that has settled": {
    held: halfway,
    steadyMs: pace.settleMs - 1,
    want: ["wait", "NextCaUnconfirmed"],
  },
  "goes on though replicas come and go all the time, once all that are there have confirmed": {
    held: halfway,
    steadyMs: 0,
    phaseMs: pace.confirmWithinMs,
    want: ["switchCa", "NextCaConfirmed"],
  },
  "waits for a replica that has not seen the next CA": {
    held: halfway,
    replicas: [aReplica(halfway), aReplica(held, { identity: "serving-b" })],
    want: [
      "wait",
      "NextCaUnconfirmed",
      "the next CA signs once every replica has confirmed it; missing: serving-b",
    ],
  },
  "goes on without a replica that never confirms": {
    held: halfway,
    replicas: [aReplica(halfway), aReplica(held, { identity: "serving-b" })],
    phaseMs: pace.confirmWithinMs,
    want: ["switchCa", "ConfirmationLate", "serving-b did not confirm the next CA within 600 s"],
  },
  "waits for a webhook that lacks the next CA, whatever the replicas have seen before": {
    held: halfway,
    published: [halfway.caCert, held.caCert],
    want: ["wait", "NextCaUnconfirmed", "the next CA signs once every webhook carries it"],
  },
  "goes never on without a webhook": {
    held: halfway,
    published: [halfway.caCert, undefined],
    phaseMs: 100 * pace.confirmWithinMs,
    want: ["wait", "NextCaUnconfirmed"],
  },
  "waits for nobody where there is no webhook": {
    held: halfway,
    published: [],
    want: ["switchCa", "NextCaConfirmed"],
  },
  "waits for nobody where nothing can be served": {
    held: { ...halfway, cert: undefined },
    published: [undefined],
    replicas: [aReplica(held)],
    want: ["switchCa", "NothingServable"],
  },
  "waits for nobody when the old CA has expired": {
    held: { ...old, caCert: old.caCert + otherCa, nextKey: keys.otherCa.privateKey },
    published: [old.caCert],
    replicas: [aReplica(old)],
    want: ["switchCa", "NothingServable"],
  },
  "renews the serving certificate under the old CA meanwhile": {
    held: halfway,
    published: [held.caCert],
    now: later(10),
    want: ["reissueServing", "ServingExpiring"],
  },
  "issues nothing under an old CA that lost its key, and waits for the next": {
    held: { ...halfway, caKey: undefined },
    published: [held.caCert],
    now: later(10),
    want: ["wait", "NextCaUnconfirmed"],
  },
  "takes a next key that belongs to no CA for none": {
    held: { ...held, nextKey: keys.otherCa.privateKey },
    want: ["nothing"],
  },
  "takes a damaged next key for none": { held: { ...held, nextKey: "half a key" }, want: ["nothing"] },
  "keeps the old CA while a live replica serves under it": {
    held: both,
    replicas: [aReplica(both), aReplica(held, { identity: "serving-b" })],
    want: ["wait", "OldCaInUse", "an old CA stays trusted; replicas that serve under it: serving-b"],
  },
  "keeps the old CA for a while even if nobody is seen under it": {
    held: both,
    phaseMs: pace.keepOldMs - 1,
    want: ["wait", "OldCaInUse"],
  },
  "drops the old CA when no live replica serves under it": {
    held: both,
    replicas: [
      aReplica(both),
      aReplica(both, { identity: "starting", certificate: undefined, ca: undefined }),
    ],
    want: ["dropCas", "OldCaUnused"],
  },
  "keeps a CA that is not renewed before an earlier one is dropped": {
    held: both,
    phaseMs: 0,
    now: later(70),
    replicas: [],
    want: ["reissueServing", "ServingExpired"],
  },
  "renews the CA every so often where that is wanted": {
    held,
    pace: paceOf(60_000),
    now: new Date(now.getTime() + 60_000),
    want: ["addCa", "CaExpiring", "the CA is renewed every 60 s"],
  },
  "and not before": {
    held,
    pace: paceOf(60_000),
    now: new Date(now.getTime() + 59_000),
    want: ["nothing"],
  },
};

describe("decideRotation", () => {
  for (const [name, { want, ...situation }] of Object.entries({ ...cases, ...rotating })) {
    test(name, () => {
      const decision = decideRotation(aSituation(situation));
      const [kind, reason, sentence] = want;
      assert.equal(decision.kind, kind);
      if (decision.kind === "nothing") return;
      assert.equal(decision.reason, reason);
      if (sentence !== undefined) assert.equal(decision.message, sentence);
    });
  }
});

interface Rest {
  readonly held: Held | undefined;
  readonly kinds: readonly string[];
}

/** Carries out what is decided, as if everybody confirmed at once, until nothing is left to do. */
async function carryOut(situation: Partial<Situation> & { readonly held: Held | undefined }): Promise<Rest> {
  let { held: secret } = situation;
  const kinds: string[] = [];
  for (let step = 0; step < 8; step++) {
    const { replicas: _replicas, published: _published, ...rest } = situation;
    const at = aSituation({ ...rest, held: secret, steadyMs: pace.settleMs, phaseMs: pace.confirmWithinMs });
    const decision = decideRotation(at);
    if (decision.kind === "nothing" || decision.kind === "wait") break;
    kinds.push(decision.kind);
    secret = await renew(decision, { ...at, held: secret, randomBytes });
  }
  return { held: secret, kinds };
}

describe("carrying decisions out", () => {
  for (const [name, situation] of Object.entries({ ...cases, ...rotating })) {
    test(`comes to rest: ${name}`, async () => {
      const at = situation.now ?? now;
      const { held: secret, kinds } = await carryOut(situation);
      assert.ok(kinds.length <= 5, kinds.join(", "));
      assert.equal(isServable(secret, at), true);
    });
  }

  test("a CA that is due goes in three steps, in each of which what is served is trusted", async () => {
    const at = later(60);
    const { held: secret, kinds } = await carryOut({ held: mature, now: at });
    assert.deepEqual(kinds, ["addCa", "switchCa", "dropCas"]);
    assert.equal(casOf(secret?.caCert, at).length, 1);
    assert.notEqual(secret?.caCert, held.caCert);
    assert.equal(isServable(secret, at), true);
  });

  test("an expired CA at the start is replaced without waiting", async () => {
    const { held: secret, kinds } = await carryOut({ held: old });
    assert.deepEqual(kinds, ["addCa", "switchCa"]);
    assert.equal(isServable(secret, now), true);
  });

  test("a Secret that was lost is put back as it is served, and then gets a new CA", async () => {
    const serving = { caCert: held.caCert, cert: held.cert, key: held.key };
    const { held: secret, kinds } = await carryOut({ held: undefined, serving });
    assert.deepEqual(kinds, ["restore", "addCa", "switchCa", "dropCas"]);
    assert.equal(isServable(secret, now), true);
  });

  test("two replicas that want different names come to rest, with the names of both", async () => {
    let secret: Held = held;
    let writes = 0;
    for (let round = 0; round < 6; round++) {
      for (const wanted of [names.slice(1), ["new.example"]]) {
        const decision = decideRotation(aSituation({ held: secret, names: wanted }));
        if (decision.kind === "nothing" || decision.kind === "wait") continue;
        secret = await renew(decision, { held: secret, serving: undefined, names: wanted, now, randomBytes });
        writes += 1;
      }
    }
    assert.equal(writes, 1);
    assert.deepEqual(
      missingNames([...names, "new.example"], inspectCertificate(secret.cert)?.names ?? []),
      [],
    );
  });

  test("a name no longer wanted goes with the next renewal", async () => {
    const { held: secret, kinds } = await carryOut({ held, names: ["10.0.0.1"], now: later(10) });
    assert.deepEqual(kinds, ["reissueServing"]);
    assert.deepEqual(inspectCertificate(secret?.cert)?.names, ["10.0.0.1"]);
  });

  test("two replicas that add a CA at once end with one: whoever loses the race decides anew", async () => {
    const first = await renew({ kind: "addCa", reason: "CaExpiring", message: "" }, inputs(held));
    assert.equal(decideRotation(aSituation({ held: first, published: [held.caCert] })).kind, "wait");
  });

  test("a next CA from the future of a clock that is ahead is replaced by one that holds here", async () => {
    const add = { kind: "addCa", reason: "CaKeyMismatch", message: "" } as const;
    const ahead = await renew(add, { ...inputs({ ...held, caKey: undefined }), now: later(1) });
    const { held: secret, kinds } = await carryOut({ held: ahead });
    assert.deepEqual(kinds, ["addCa", "switchCa", "dropCas"]);
    assert.equal(isServable(secret, now), true);
  });

  test("an expired CA leaves the bundle with the next serving certificate", async () => {
    const both = { ...held, caCert: String(held.caCert) + String(old.caCert) };
    const action = { kind: "reissueServing", reason: "ServingExpiring", message: "", names } as const;
    const renewed = await renew(action, inputs(both));
    assert.equal(renewed.caCert, held.caCert);
  });
});

function withServing(secret: Held, at: Date): Held {
  const ca = { cert: secret.caCert ?? "", key: secret.caKey ?? "" };
  const cert = issueServing({ keys: keys.serving, serial: randomBytes(16), now: at, names, ca });
  return { ...secret, cert };
}

function inputs(secret: Held): Parameters<typeof renew>[1] {
  return { held: secret, serving: undefined, names, now, randomBytes };
}

describe("bundleOf", () => {
  test("drops what is expired, unreadable, twice there or no CA", () => {
    const caCert = [held.caCert, "rubbish\n", old.caCert, held.cert, otherCa, held.caCert].join("");
    assert.equal(bundleOf({ caCert }, now), String(held.caCert) + otherCa);
  });

  test("is empty where there is no Secret", () => assert.equal(bundleOf(undefined, now), ""));
});

describe("isServable", () => {
  for (const [name, secret, at, want] of [
    ["what is in order", held, now, true],
    ["what is due for renewal", held, later(13), true],
    ["what is for other names, until there is better", aHeld(keys, { names: ["other"], now }), now, true],
    ["what is expired", held, later(15), false],
    ["what has another key", { ...held, key: keys.ca.privateKey }, now, false],
    ["what no CA signed", { ...held, caCert: otherCa }, now, false],
    ["nothing", undefined, now, false],
  ] as const) {
    test(`${want ? "serves" : "does not serve"} ${name}`, () => assert.equal(isServable(secret, at), want));
  }
});
