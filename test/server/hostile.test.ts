import assert from "node:assert/strict";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { Agent } from "node:https";
import type { Server } from "node:https";
import { connect as connectPlain } from "node:net";
import type { Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { connect } from "node:tls";
import type { ConnectionOptions, TLSSocket } from "node:tls";
import { after, afterEach, describe, test } from "node:test";
import { startClientCa } from "../../certs/client-ca.ts";
import { LIMITS } from "../../src/server/listen.ts";
import type { Refusal, TlsOptions } from "../../src/server/listen.ts";
import { DEFAULT_TLS } from "../../src/server/tls.ts";
import type { TlsSettings } from "../../src/server/tls.ts";
import { aBackup } from "../builders/objects.ts";
import { aRequestBody, aReview } from "../builders/request.ts";
import { readResponse } from "../builders/response.ts";
import { addressOf, endServer, post, rsaPair, startTlsServer } from "../builders/tls-server.ts";
import { aClientAuthority } from "../certs/client-certificate.ts";
import { eventually } from "../e2e/eventually.ts";

const review = aReview(aRequestBody({ object: aBackup() }));
let refused: Refusal[] = [];
const sockets: Socket[] = [];
let server: Server;

async function start(options: Partial<TlsOptions>): Promise<void> {
  // Of its own: a server may tell of a connection when its test is over.
  const own: Refusal[] = [];
  refused = own;
  server = await startTlsServer({ onRefused: (why) => own.push(why), ...options });
}

afterEach(async () => {
  for (const socket of sockets) socket.destroy();
  sockets.length = 0;
  await endServer(server);
});

/** A connection as far as TCP, which our end hears the end of. */
async function tcp(): Promise<Socket> {
  const { host, port } = addressOf(server);
  const socket = connectPlain(port, host).on("error", () => undefined);
  sockets.push(socket);
  await once(socket, "connect");
  return socket;
}

/** A connection as far as TLS. */
async function tls(options: ConnectionOptions = {}): Promise<TLSSocket> {
  const socket = connect({ ...addressOf(server), ...options });
  sockets.push(socket);
  await once(socket, "secureConnect");
  return socket.on("error", () => undefined);
}

async function answersAsEver(): Promise<void> {
  const { text } = await post({ port: addressOf(server).port, agent: new Agent() }, review);
  assert.equal(readResponse(text).patch?.length, 1);
}

const QUICK = { handshakeMs: 200, headersMs: 200, requestMs: 400, checkMs: 50 };

describe("a client that takes its time", () => {
  test("is hung up on when its handshake does not go on", async () => {
    await start({ limits: { ...QUICK, headersMs: 60_000, requestMs: 60_000 } });
    const silent = await tcp();
    const half = await tcp();
    half.write(Buffer.from([0x16, 0x03, 0x01, 0x02, 0x00, 0x01]));
    await Promise.all([once(silent, "close"), once(half, "close")]);
    await eventually("both are counted", async () => assert.deepEqual(refused, ["handshake", "handshake"]));
    await answersAsEver();
  });

  const beginnings: Record<string, string> = {
    "says nothing after the handshake": "",
    "never ends its headers": "POST /mutate HTTP/1.1\r\nHost: us\r\nX: ",
    "never ends its body": "POST /mutate HTTP/1.1\r\nHost: us\r\nContent-Length: 1000\r\n\r\n{",
  };
  for (const [name, beginning] of Object.entries(beginnings)) {
    test(`is hung up on when it ${name}`, async () => {
      await start({ limits: QUICK });
      const socket = await tls();
      socket.resume();
      socket.write(beginning);
      await once(socket, "close");
      await answersAsEver();
    });

    test(`keeps nobody waiting while it ${name}`, async () => {
      await start({ limits: { ...QUICK, headersMs: 60_000, requestMs: 60_000 } });
      const slow = await Promise.all(Array.from({ length: 200 }, async () => tls()));
      for (const socket of slow) socket.write(beginning);
      await answersAsEver();
      assert.ok(slow.every(({ destroyed }) => !destroyed));
    });
  }

  test("has the limits that docs/security.md names", async () => {
    await start({});
    assert.deepEqual(
      [server.headersTimeout, server.requestTimeout, server.maxConnections],
      [LIMITS.headersMs, LIMITS.requestMs, LIMITS.connections],
    );
    assert.deepEqual(
      [LIMITS.handshakeMs, LIMITS.headersMs, LIMITS.requestMs, LIMITS.connections],
      [10_000, 10_000, 35_000, 1_000],
    );
  });
});

describe("more connections than there may be", () => {
  test("are refused and counted, and those that are there are answered", async () => {
    await start({ limits: { connections: 3 } });
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    const { port } = addressOf(server);
    await post({ port, agent }, review);
    await Promise.all([tls(), tls()]);
    const fourth = await tcp();
    await once(fourth, "close");
    assert.deepEqual(refused, ["limit"]);
    assert.equal(readResponse((await post({ port, agent }, review)).text).patch?.length, 1);
    agent.destroy();
  });
});

describe("what is not HTTP, or not for us", () => {
  const texts: Record<string, string> = {
    "plain HTTP": "POST /mutate HTTP/1.1\r\nHost: us\r\n\r\n",
    "bytes that are no TLS": "\0\u0001\u0002\u0003".repeat(100),
  };
  for (const [name, sent] of Object.entries(texts)) {
    test(`${name} is refused`, async () => {
      await start({});
      const socket = await tcp();
      socket.resume();
      socket.write(sent);
      await once(socket, "close");
      assert.deepEqual(refused, ["handshake"]);
      await answersAsEver();
    });
  }

  test("headers of 100 KiB are refused", async () => {
    await start({});
    const socket = await tls();
    const chunks: string[] = [];
    socket.setEncoding("utf8").on("data", (chunk: string) => chunks.push(chunk));
    socket.write(`POST /mutate HTTP/1.1\r\nHost: us\r\nX: ${"x".repeat(100 * 1024)}\r\n\r\n`);
    await new Promise((resolve) => socket.once("close", resolve));
    // Closed with bytes unread, the connection is reset, which may overtake the answer.
    assert.match(chunks.join(""), /^$|^HTTP\/1\.1 431 /);
    await answersAsEver();
  });

  test("two lengths of one body, which proxies read differently, are refused", async () => {
    await start({});
    const socket = await tls();
    const chunks: string[] = [];
    socket.setEncoding("utf8").on("data", (chunk: string) => chunks.push(chunk));
    socket.write(
      "POST /mutate HTTP/1.1\r\nHost: us\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    );
    await once(socket, "close");
    assert.match(chunks.join(""), /^HTTP\/1\.1 400 /);
  });
});

describe("TLS by value", () => {
  // With an RSA key, which ciphers without forward secrecy need.
  const suites: Record<string, readonly [Partial<TlsSettings>, ConnectionOptions, RegExp | string]> = {
    "TLS 1.2 is taken": [{}, { maxVersion: "TLSv1.2" }, "TLSv1.2"],
    "TLS 1.3 is taken": [{}, {}, "TLSv1.3"],
    "TLS 1.2 is refused where the floor is 1.3": [
      { minVersion: "TLSv1.3" },
      { maxVersion: "TLSv1.2" },
      /protocol version|alert/,
    ],
    "a cipher without forward secrecy is refused": [
      {},
      { maxVersion: "TLSv1.2", ciphers: "AES128-GCM-SHA256" },
      /handshake failure|alert/,
    ],
    "a cipher in CBC mode is refused": [
      {},
      { maxVersion: "TLSv1.2", ciphers: "ECDHE-RSA-AES128-SHA256" },
      /handshake failure|alert/,
    ],
    "a cipher that is not on the list of the values is refused": [
      { ciphers: "ECDHE-RSA-AES256-GCM-SHA384" },
      { maxVersion: "TLSv1.2", ciphers: "ECDHE-RSA-AES128-GCM-SHA256" },
      /handshake failure|alert/,
    ],
    "the one on the list is taken": [
      { ciphers: "ECDHE-RSA-AES256-GCM-SHA384" },
      { maxVersion: "TLSv1.2" },
      "ECDHE-RSA-AES256-GCM-SHA384",
    ],
  };
  for (const [name, [settings, options, wanted]] of Object.entries(suites)) {
    test(name, async () => {
      await start({ pair: rsaPair, tls: { ...DEFAULT_TLS, ...settings } });
      const trusting = { ca: rsaPair.ca ?? "", ...options };
      if (typeof wanted === "string") {
        const socket = await tls(trusting);
        assert.ok([socket.getProtocol(), socket.getCipher().name].includes(wanted));
      } else {
        await assert.rejects(tls(trusting), wanted);
        await eventually("it is counted", async () => assert.deepEqual(refused, ["handshake"]));
      }
    });
  }
});

describe("a server that checks its clients", async () => {
  const [authority, other] = await Promise.all([aClientAuthority(), aClientAuthority()]);
  const [known, unnamed, forged, server1] = await Promise.all([
    authority.issue("kube-apiserver"),
    authority.issue("somebody-else"),
    other.issue("kube-apiserver"),
    authority.issue("kube-apiserver", "serverAuth"),
  ]);
  const directory = mkdtempSync(join(tmpdir(), "client-ca-"));
  const file = join(directory, "ca.crt");
  const stopped = new AbortController();
  const log = { info: () => undefined, warn: () => undefined, error: () => undefined };
  after(() => {
    stopped.abort();
    rmSync(directory, { recursive: true });
  });

  async function startChecking(names: readonly string[] = ["kube-apiserver"]): Promise<void> {
    writeFileSync(file, authority.cert);
    const ca = await startClientCa({ file, log, signal: stopped.signal });
    await start({ tls: { ...DEFAULT_TLS, clients: { ca, names } } });
  }

  async function ask(certificate: object): Promise<unknown> {
    const { text } = await post({ port: addressOf(server).port, agent: new Agent(), ...certificate }, review);
    return readResponse(text).patch?.length;
  }

  test("answers the one whose name and CA are right, over both versions of TLS", async () => {
    await startChecking();
    assert.equal(await ask(known), 1);
    assert.equal(await ask({ ...known, maxVersion: "TLSv1.2" }), 1);
    assert.deepEqual(refused, []);
  });

  const wrong: Record<string, [object, Refusal]> = {
    "no certificate": [{}, "handshake"],
    "a certificate of another CA": [forged, "handshake"],
    "a server's certificate": [server1, "handshake"],
    "another name": [unnamed, "client"],
  };
  for (const [name, [certificate, why]] of Object.entries(wrong)) {
    for (const maxVersion of ["TLSv1.2", "TLSv1.3"]) {
      test(`answers nothing at all to a client with ${name}, over ${maxVersion}`, async () => {
        await startChecking();
        await assert.rejects(ask({ ...certificate, maxVersion }));
        await eventually("it is counted", async () => assert.deepEqual(refused, [why]));
      });
    }
  }

  test("takes any name of the CA where none is said", async () => {
    await startChecking([]);
    assert.equal(await ask(unnamed), 1);
    await assert.rejects(ask(forged));
  });

  test("follows the file of the CA, and keeps what it has when that is damaged", async () => {
    await startChecking();
    writeFileSync(file, other.cert);
    await eventually("the other CA is taken", async () => assert.equal(await ask(forged), 1));
    await assert.rejects(ask(known));
    writeFileSync(file, "damaged");
    await assert.rejects(ask({}));
    assert.equal(await ask(forged), 1);
  });

  test("does not begin without a CA", async () => {
    await start({});
    writeFileSync(file, "nothing");
    const { signal } = stopped;
    await assert.rejects(startClientCa({ file, log, signal }), /holds no PEM certificates/);
    await assert.rejects(startClientCa({ file: join(directory, "no"), log, signal }), /cannot read/);
  });
});
