import assert from "node:assert/strict";
import { randomBytes, X509Certificate } from "node:crypto";
import { once } from "node:events";
import type { IncomingMessage } from "node:http";
import { createServer as createHttps, request } from "node:https";
import { connect as connectTcp, isIP, type AddressInfo } from "node:net";
import { after, before, describe, test } from "node:test";
import { text } from "node:stream/consumers";
import { connect, createServer, type Server } from "node:tls";
import fc from "fast-check";
import { derSerial, issueCa, issueServing } from "../../certs/issue.ts";
import { missingNames } from "../../certs/names.ts";
import { inspectCertificate, isKeyOf, isTrustedBy } from "../../certs/inspect.ts";
import { aCa, aHeld, someKeys } from "./pair.ts";

const keys = await someKeys();
const now = new Date("2026-11-23T10:00:00.500Z");
const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;

/** Sequences of tags and values below are DER, written out: what a certificate must say, whoever reads it. */
const OIDS = { serverAuth: "06082b06010505070301", caTrue: "30060101ff020100" };

function aName(): fc.Arbitrary<string> {
  const label = fc
    .stringMatching(/^[a-z0-9]([-a-z0-9]{0,20}[a-z0-9])?$/)
    .filter((text) => !text.startsWith("xn--"));
  const dns = fc
    .array(label, { minLength: 1, maxLength: 4 })
    .map((labels) => labels.join("."))
    // What ends in a number is an IPv4 address or nothing to a URL parser, so no client asks for it by DNS.
    .filter((name) => isIP(name) === 0 && !/(^|\.)\d+$/.test(name));
  return fc.oneof(dns, fc.ipV4(), fc.ipV6());
}

describe("issueCa", () => {
  test("issues a CA for 90 days that may sign certificates and no further CA", () => {
    const certificate = new X509Certificate(aCa(keys.ca, now));
    assert.equal(certificate.ca, true);
    assert.equal(certificate.checkIssued(certificate), true);
    assert.equal(certificate.verify(certificate.publicKey), true);
    assert.equal(certificate.validFromDate.toISOString(), "2026-11-23T09:00:00.000Z");
    assert.equal(certificate.validToDate.toISOString(), "2027-02-21T10:00:00.000Z");
    assert.ok(certificate.raw.toString("hex").includes(OIDS.caTrue));
  });

  test("gives two CAs different subjects, so that a bundle of both is searched without ambiguity", () => {
    const [one, two] = [aCa(keys.ca, now), aCa(keys.otherCa, now)].map(inspectCertificate);
    assert.notEqual(one?.subject, two?.subject);
  });
});

describe("issueServing", () => {
  test("issues a certificate for 14 days, for TLS servers only, that its CA verifies", () => {
    const held = aHeld(keys, { names: ["a.example", "10.0.0.1"], now });
    const certificate = new X509Certificate(held.cert ?? "");
    assert.equal(certificate.ca, false);
    assert.equal(certificate.validFromDate.toISOString(), "2026-11-23T09:00:00.000Z");
    assert.equal(certificate.validToDate.getTime() - Math.floor(now.getTime() / 1000) * 1000, 14 * DAY_MS);
    assert.ok(certificate.raw.toString("hex").includes(OIDS.serverAuth));
    assert.deepEqual(certificate.keyUsage, ["1.3.6.1.5.5.7.3.1"]);
    assert.equal(certificate.publicKey.asymmetricKeyDetails?.namedCurve, "prime256v1");
    assert.equal(certificate.publicKey.export({ type: "spki", format: "pem" }), keys.serving.publicKey);
    assert.equal(isTrustedBy(held.cert ?? "", held.caCert, now), true);
    assert.equal(isTrustedBy(held.cert ?? "", aCa(keys.otherCa, now), now), false);
    assert.equal(isKeyOf(held.cert, held.key), true);
    assert.equal(isKeyOf(held.cert, held.caKey), false);
  });

  test("does not let a certificate outlive its CA", () => {
    const ca = { cert: aCa(keys.ca, now), key: keys.ca.privateKey };
    const late = new Date(now.getTime() + 80 * DAY_MS);
    const cert = issueServing({ keys: keys.serving, serial: randomBytes(16), now: late, names: ["a"], ca });
    assert.deepEqual(inspectCertificate(cert)?.notAfter, inspectCertificate(ca.cert)?.notAfter);
  });

  for (const name of [
    "",
    "a_b",
    "a..b",
    "-a",
    "a b",
    "a,DNS:b",
    "ä.example",
    "fe80::1%eth0",
    "x".repeat(64),
  ]) {
    test(`refuses the name "${name}"`, () => {
      assert.throws(() => aHeld(keys, { names: [name], now }), /neither a DNS name nor an IP address/);
    });
  }

  test("refuses no names at all", () => {
    assert.throws(() => aHeld(keys, { names: [], now }), /at least one DNS name/);
  });
});

describe("derSerial", () => {
  test("writes any bytes as a positive integer without padding", () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 16, maxLength: 16 }), (bytes) => {
        const serial = derSerial(Buffer.from(bytes));
        const [first = 0, second = 0x80] = Buffer.from(serial, "hex");
        assert.ok(first < 0x80, "positive");
        assert.ok(first !== 0 || second >= 0x80, "minimal");
        assert.ok(serial.length <= 40, "at most 20 octets");
        const value = BigInt(`0x${Buffer.from(bytes).toString("hex")}`);
        assert.equal(BigInt(`0x${serial}`), value === 0n ? 1n : value);
      }),
    );
  });

  for (const [name, bytes, want] of [
    ["keeps the sign bit clear", "ff".repeat(16), `00${"ff".repeat(16)}`],
    ["drops leading zeros", "00".repeat(15) + "7f", "7f"],
    ["keeps the zero a sign bit needs", "00".repeat(15) + "80", "0080"],
    ["makes zero, which RFC 5280 forbids, a one", "00".repeat(16), "01"],
  ] as const) {
    test(name, () => assert.equal(derSerial(Buffer.from(bytes, "hex")), want));
  }

  test("ends up in the certificate as 128 bits", () => {
    const serial = Buffer.from("f0".repeat(16), "hex");
    assert.equal(new X509Certificate(issueCa({ keys: keys.ca, serial, now })).serialNumber, "F0".repeat(16));
  });
});

describe("a TLS handshake with what was issued", () => {
  let server: Server;

  before(async () => {
    server = createServer((socket) => void socket.on("error", () => undefined).end());
    server.on("tlsClientError", () => undefined);
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
  });

  after(() => void server.close());

  test("is accepted under every name and refused under another", async () => {
    const today = new Date();
    await fc.assert(
      fc.asyncProperty(
        fc.uniqueArray(aName(), { minLength: 1, maxLength: 5, selector: (name) => name }),
        aName(),
        async (names, other) => {
          const held = aHeld(keys, { names, now: today });
          server.setSecureContext({ cert: held.cert, key: held.key });
          for (const name of names)
            assert.equal(await handshake(server, name, held.caCert), "accepted", name);
          if (missingNames([other], names).length === 0) return;
          assert.equal(await handshake(server, other, held.caCert), "ERR_TLS_CERT_ALTNAME_INVALID");
        },
      ),
      { numRuns: 40 },
    );
  });

  test("is refused by a client that trusts another CA", async () => {
    const held = aHeld(keys, { names: ["a.example"], now: new Date() });
    server.setSecureContext({ cert: held.cert, key: held.key });
    const refused = await handshake(server, "a.example", aCa(keys.otherCa, new Date()));
    assert.equal(refused, "UNABLE_TO_VERIFY_LEAF_SIGNATURE");
  });

  test("is accepted by a client that trusts a bundle of another CA and ours", async () => {
    const held = aHeld(keys, { names: ["a.example"], now: new Date() });
    server.setSecureContext({ cert: held.cert, key: held.key });
    const bundle = aCa(keys.otherCa, new Date()) + String(held.caCert);
    assert.equal(await handshake(server, "a.example", bundle), "accepted");
  });

  test("carries an HTTPS request", async (t) => {
    const held = aHeld(keys, { names: ["localhost"], now: new Date() });
    const https = createHttps({ cert: held.cert, key: held.key }, (_request, response) =>
      response.end("well"),
    );
    t.after(() => void https.close());
    https.listen(0, "127.0.0.1");
    await once(https, "listening");
    const { port } = addressOf(https);
    const { promise: answer, resolve, reject } = Promise.withResolvers<IncomingMessage>();
    const options = { host: "127.0.0.1", servername: "localhost", port, ca: held.caCert, agent: false };
    request(options, resolve).on("error", reject).end();
    const response = await answer;
    assert.equal(response.statusCode, 200);
    assert.equal(await text(response), "well");
  });
});

/** Connects under a name; gives "accepted" or the code of the refusal. */
async function handshake(server: Server, name: string, ca: string | undefined): Promise<string> {
  const tcp = connectTcp(addressOf(server).port, "127.0.0.1");
  const servername = isIP(name) === 0 ? { servername: name } : {};
  const socket = connect({ socket: tcp, host: name, ...servername, ca });
  try {
    await once(socket, "secureConnect");
    return "accepted";
  } catch (error) {
    return error instanceof Error && "code" in error ? String(error.code) : String(error);
  } finally {
    socket.destroy();
    tcp.destroy();
  }
}

function addressOf(server: { address(): AddressInfo | string | null }): AddressInfo {
  const address = server.address();
  assert.ok(typeof address === "object" && address !== null);
  return address;
}
