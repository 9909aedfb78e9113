import assert from "node:assert/strict";
import { once } from "node:events";
import { Agent } from "node:https";
import type { Server } from "node:https";
import { setTimeout as sleep } from "node:timers/promises";
import { connect } from "node:tls";
import { describe, test } from "node:test";
import { drain, listenPlain, portOf } from "../../src/server/listen.ts";
import { aBackup } from "../builders/objects.ts";
import { aRequestBody, aReview } from "../builders/request.ts";
import { readResponse } from "../builders/response.ts";
import { pair, post, startTlsServer } from "../builders/tls-server.ts";

async function ourServer(stopping = new AbortController().signal): Promise<Server> {
  return startTlsServer({ stopping });
}

const loopback = { host: "127.0.0.1", port: 0 };

describe("the HTTPS server", () => {
  const review = aReview(aRequestBody({ object: aBackup() }));

  test("answers a caller who trusts its CA, several times on one connection", async () => {
    const server = await ourServer();
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    let connections = 0;
    server.on("secureConnection", () => {
      connections += 1;
    });
    for (const _again of [1, 2, 3]) {
      const answer = await post({ port: portOf(server), agent }, review);
      assert.equal(readResponse(answer.text).patch?.length, 1);
    }
    assert.equal(connections, 1);
    agent.destroy();
    await drain(server, 0);
  });

  test("takes TLS 1.2 and nothing older", async () => {
    const server = await ourServer();
    const options = { host: "127.0.0.1", port: portOf(server), ca: pair.ca };
    const socket = connect({ ...options, minVersion: "TLSv1.2", maxVersion: "TLSv1.2" });
    await once(socket, "secureConnect");
    assert.equal(socket.getProtocol(), "TLSv1.2");
    socket.destroy();
    const old = connect({
      ...options,
      minVersion: "TLSv1",
      maxVersion: "TLSv1.1",
      ciphers: "DEFAULT@SECLEVEL=0",
    });
    await assert.rejects(
      once(old, "secureConnect"),
      /alert protocol version|wrong version|unsupported protocol/,
    );
    await drain(server, 0);
  });

  test("closes the connection of each answer once it is to stop", async () => {
    const stopping = new AbortController();
    const server = await ourServer(stopping.signal);
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    const options = { port: portOf(server), agent };
    assert.equal((await post(options, review)).connection, "keep-alive");
    stopping.abort();
    const last = await post(options, review);
    assert.equal(last.connection, "close");
    assert.equal(readResponse(last.text).patch?.length, 1);
    agent.destroy();
    await drain(server, 0);
  });

  test("keeps idle connections longer than the API server does", async () => {
    const server = await ourServer();
    assert.ok(server.keepAliveTimeout > 90_000);
    await drain(server, 0);
  });
});

describe("drain", () => {
  test("serves on for its time, lets what is under way end, and takes nothing new afterwards", async () => {
    let finish: (() => void) | undefined;
    const server = await listenPlain((incoming, response) => {
      if (incoming.url === "/slow") {
        finish = () => response.end("slow");
      } else {
        response.end("quick");
      }
    }, loopback);
    const url = `http://127.0.0.1:${portOf(server)}`;
    const slow = fetch(`${url}/slow`, { headers: { connection: "close" } });
    await until(() => finish !== undefined);
    let drained = false;
    const draining = drain(server, 500).then(() => {
      drained = true;
    });
    await sleep(100);
    assert.equal(await (await fetch(url, { headers: { connection: "close" } })).text(), "quick");
    await until(() => !server.listening);
    await assert.rejects(fetch(url));
    assert.equal(drained, false);
    finish?.();
    assert.equal(await (await slow).text(), "slow");
    await draining;
  });
});

async function until(holds: () => boolean): Promise<void> {
  const start = performance.now();
  while (!holds()) {
    assert.ok(performance.now() - start < 5_000);
    await new Promise((resolve) => {
      setTimeout(resolve, 5);
    });
  }
}
