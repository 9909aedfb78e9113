import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { describe, test } from "node:test";
import { inspectCertificate, splitCertificates } from "../../certs/inspect.ts";
import { missingNames } from "../../certs/names.ts";
import { renew } from "../../certs/renew.ts";
import { bundleOf, decideRotation, isServable, type Decision, type Held } from "../../certs/rotation.ts";
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
const old = aHeld(keys, { names, now: later(-400) });

function later(days: number, hours = 0): Date {
  return new Date(now.getTime() + days * DAY_MS + hours * HOUR_MS);
}

interface Case {
  readonly held: Held | undefined;
  readonly names?: readonly string[];
  readonly now?: Date;
  readonly want: readonly [Decision["kind"], reason?: string, sentence?: string];
}

const cases: Record<string, Case> = {
  "leaves what is in order": { held, want: ["nothing"] },
  "leaves names in another order and spelling": {
    held,
    names: ["FD00:0::1", "10.0.0.1", "Snapshot-Retainer.velero.svc", "10.0.0.1"],
    want: ["nothing"],
  },
  "begins where there is no Secret": { held: undefined, want: ["createAll", "SecretAbsent"] },
  "begins where the Secret is empty": {
    held: {},
    want: ["createAll", "CaUnreadable", "the Secret has no ca.crt"],
  },
  "begins anew where ca.crt is damaged": {
    held: { ...held, caCert: "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n" },
    want: ["createAll", "CaUnreadable", "the Secret holds a ca.crt that is not a CA certificate"],
  },
  "begins anew where ca.crt is no CA": {
    held: { ...held, caCert: held.cert },
    want: ["createAll", "CaUnreadable"],
  },
  "renews a CA that lost its key": {
    held: { ...held, caKey: undefined },
    want: ["renewCa", "CaKeyMismatch", "the Secret has no ca.key"],
  },
  "renews a CA whose key is another's": {
    held: { ...held, caKey: keys.otherCa.privateKey },
    want: ["renewCa", "CaKeyMismatch"],
  },
  "renews a CA whose key is damaged": {
    held: { ...held, caKey: "no key" },
    want: ["renewCa", "CaKeyMismatch"],
  },
  "lets a CA be until two thirds of its life have passed": {
    held,
    now: later(243, 7),
    want: ["reissueServing", "ServingExpired"],
  },
  "renews a CA after two thirds of its life": { held, now: later(243, 8), want: ["renewCa", "CaExpiring"] },
  "renews an expired CA": {
    held: old,
    want: ["renewCa", "CaExpired", "the CA expired at 2026-10-19T10:00:00.000Z"],
  },
  "renews a CA from the future": { held, now: later(-2), want: ["renewCa", "CaNotYetValid"] },
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
    now: later(19, 23),
    want: ["nothing"],
  },
  "reissues a serving certificate after two thirds of its life": {
    held,
    now: later(20),
    want: ["reissueServing", "ServingExpiring"],
  },
  "reissues an expired serving certificate": {
    held,
    now: later(31),
    want: ["reissueServing", "ServingExpired", "the serving certificate expired at 2026-12-23T10:00:00.000Z"],
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
    want: ["nothing"],
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
    want: [
      "renewCa",
      "CaNotRsa",
      "the CA in the Secret has a key of type ec, and only RSA can be issued from",
    ],
  },
};

describe("decideRotation", () => {
  for (const [name, { want, ...situation }] of Object.entries(cases)) {
    test(name, () => {
      const decision = decideRotation({ names, now, ...situation });
      const [kind, reason, sentence] = want;
      assert.equal(decision.kind, kind);
      if (decision.kind === "nothing") return;
      assert.equal(decision.reason, reason);
      if (sentence !== undefined) assert.equal(decision.message, sentence);
    });
  }
});

describe("carrying decisions out", () => {
  for (const [name, situation] of Object.entries(cases)) {
    test(`comes to rest within two steps: ${name}`, async () => {
      const at = situation.now ?? now;
      const wanted = situation.names ?? names;
      let secret = situation.held;
      for (let step = 0; step < 2; step++) {
        const decision = decideRotation({ held: secret, names: wanted, now: at });
        if (decision.kind === "nothing") break;
        secret = await renew(decision.kind, { held: secret, names: decision.names, now: at, randomBytes });
      }
      assert.deepEqual(decideRotation({ held: secret, names: wanted, now: at }), { kind: "nothing" });
      assert.equal(isServable(secret, at), true);
    });
  }

  test("two replicas that want different names come to rest, with the names of both", async () => {
    let secret: Held = held;
    let writes = 0;
    for (let round = 0; round < 6; round++) {
      for (const wanted of [names.slice(1), ["new.example"]]) {
        const decision = decideRotation({ held: secret, names: wanted, now });
        if (decision.kind === "nothing") continue;
        secret = await renew(decision.kind, { held: secret, names: decision.names, now, randomBytes });
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
    const decision = decideRotation({ held, names: ["10.0.0.1"], now: later(20) });
    assert.ok(decision.kind === "reissueServing");
    const secret = await renew(decision.kind, { held, names: decision.names, now: later(20), randomBytes });
    assert.deepEqual(inspectCertificate(secret.cert)?.names, ["10.0.0.1"]);
  });

  test("a renewed CA keeps the old one trusted and its serving certificate served", async () => {
    const renewed = await renew("renewCa", { held, names, now: later(1), randomBytes });
    assert.equal(renewed.cert, held.cert);
    assert.deepEqual(splitCertificates(renewed.caCert).slice(1), splitCertificates(held.caCert));
    assert.equal(isServable(renewed, later(1)), true);
  });

  test("an expired CA leaves the bundle with the next serving certificate", async () => {
    const both = { ...held, caCert: String(held.caCert) + String(old.caCert) };
    const renewed = await renew("reissueServing", { held: both, names, now, randomBytes });
    assert.equal(renewed.caCert, held.caCert);
  });
});

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
    ["what is due for renewal", held, later(25), true],
    ["what is for other names, until there is better", aHeld(keys, { names: ["other"], now }), now, true],
    ["what is expired", held, later(31), false],
    ["what has another key", { ...held, key: keys.ca.privateKey }, now, false],
    ["what no CA signed", { ...held, caCert: otherCa }, now, false],
    ["nothing", undefined, now, false],
  ] as const) {
    test(`${want ? "serves" : "does not serve"} ${name}`, () => assert.equal(isServable(secret, at), want));
  }
});
