import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { once } from "node:events";
import { createServer, request } from "node:http";
import type { Server } from "node:http";
import { connect } from "node:net";
import { text as textOf } from "node:stream/consumers";
import { after, before, describe, test } from "node:test";
import { createStatusPage } from "../../src/controller/status-page.ts";
import { markup } from "../../src/page/html.ts";
import { portOf } from "../../src/server/listen.ts";
import type { World } from "../../src/retention/world.ts";
import { aPolicy } from "../builders/policy.ts";
import { aWorld, claimed, NOW, retained, taken } from "../builders/world.ts";

const pinned = { labels: { "snapshot-retainer.io/pin": "true" } };
const EVIL = `"><script>alert(1)</script>`;

const WORLD = aWorld(
  retained("s1", "3d"),
  retained("s2", "2d", pinned),
  taken({ name: "s3", age: "5m", upload: "InProgress", backup: "InProgress" }),
  retained("l1", "1d", { pvc: "logs", volumeHandle: "vol-2", ready: false }),
  retained("e1", "1d", { pvc: "evil", volumeHandle: "vol-3", namespace: `shop${EVIL}` }),
  claimed(),
);

/** A thousand volumes of three snapshots each. */
function large(): World {
  const parts = Array.from({ length: 1_000 }, (_, index) =>
    ["1d", "2d", "3d"].map((age) =>
      retained(`v${index}-${age}`, age, { pvc: `data-${index}`, volumeHandle: `vol-${index}` }),
    ),
  );
  return {
    ...aWorld(),
    contents: parts.flat().flatMap(({ contents = [] }) => contents),
    dataUploads: parts.flat().flatMap(({ dataUploads = [] }) => dataUploads),
    backups: parts.flat().flatMap(({ backups = [] }) => backups),
  };
}

describe("the status page", () => {
  let server: Server;
  let world: World | undefined = WORLD;
  let broken = false;
  let now = NOW;
  const failures: string[] = [];
  before(async () => {
    const page = createStatusPage({
      world() {
        if (broken) throw new Error("no such thing");
        return world;
      },
      policy: () => aPolicy({ snapshotsToRetain: 3 }),
      policyLocation: "ConfigMap snapshot-retainer/snapshot-retainer-policy",
      leads: () => true,
      now: () => now,
      onFailure: (error) => void failures.push(String(error)),
    });
    server = createServer(page).listen(0, "127.0.0.1");
    await once(server, "listening");
  });
  after(() => void server.close());

  async function get(
    path: string,
    init: RequestInit = {},
  ): Promise<{ status: number; text: string; headers: Headers }> {
    const response = await fetch(`http://localhost:${portOf(server)}${path}`, init);
    return { status: response.status, text: await response.text(), headers: response.headers };
  }

  /** The volumes that a page shows, by their headings. */
  async function shown(path: string): Promise<string[]> {
    const { text } = await get(path);
    return [...text.matchAll(/<h3>([^<]*)<\/h3>/g)].map(([, name = ""]) => name);
  }

  test("shows each volume with its snapshots, pins, limit and what goes next", async () => {
    const { text } = await get("/");
    assert.match(
      text,
      /<h3>app\/data<\/h3>\s*<p><b>2<\/b> retained, 1 pinned; limit 3: the policy&#39;s snapshotsToRetain; next to go: s1, when the next snapshot is taken<\/p>/,
    );
    assert.match(text, /aria-label="3 snapshots, 2 retained, 1 pinned; next to go: s1"/);
    assert.match(text, /<rect [^>]*class="pinned"><title>s2 of velero\/b-s2/);
    assert.match(text, /<circle [^>]*class="kept next"><title>s1 /);
    assert.match(text, /<circle [^>]*class="flight"><title>s3 /);
    assert.match(text, /class="tick"><title>backup b-s1<\/title>/);
  });

  test("lets no name of a tenant's become markup", async () => {
    const { text } = await get(`/?text=${encodeURIComponent(EVIL)}`);
    assert.ok(!text.includes("<script"), "a script");
    assert.ok(text.includes("&lt;script&gt;"));
    assert.match(text, /value="&quot;&gt;&lt;script/);
  });

  test("lets a browser load nothing but its own style", async () => {
    const { text, headers } = await get("/");
    const [, style = ""] = /<style>([\s\S]*?)<\/style>/.exec(text) ?? [];
    const hash = createHash("sha256").update(style).digest("base64");
    assert.match(headers.get("content-security-policy") ?? "", /^default-src 'none'; style-src 'sha256-/);
    const policy = headers.get("content-security-policy") ?? "";
    assert.ok(policy.includes(hash), "the style is not the one that is allowed");
    assert.ok(!/\b(src|href)="(https?:)?\/\//.test(text), "something from elsewhere");
    assert.equal(headers.get("cache-control"), "no-store");
  });

  test("filters by namespace, driver, name and problems", async () => {
    assert.deepEqual(await shown("/?namespace=app&text=log"), ["app/logs"]);
    assert.deepEqual(await shown("/?namespace=nobody"), []);
    assert.equal((await shown("/?driver=rbd.csi.ceph.com")).length, 3);
    assert.deepEqual(await shown("/?problems=1"), ["app/logs"]);
  });

  test("answers nothing but a reader on this machine", async () => {
    const asked = ["evil.example", `evil.example:${portOf(server)}`, "localhost.evil.example"].map(
      async (host) =>
        new Promise((resolve, reject) => {
          const given = { port: portOf(server), host: "127.0.0.1", headers: { host } };
          const outgoing = request(given, (response) => {
            response.resume();
            resolve(response.statusCode);
          });
          outgoing.on("error", reject).end();
        }),
    );
    assert.deepEqual(await Promise.all(asked), [421, 421, 421]);
    assert.equal((await get("/", { method: "POST" })).status, 405);
    assert.equal((await get("/metrics")).status, 404);
    assert.equal((await get("/", { method: "HEAD" })).text, "");
  });

  test("answers any request target, and goes on", async () => {
    const targets = ["//", "/%", "http://[", "http://localhost:99999/", "*", "/?namespace=%", "/?page=%00"];
    const statuses = [];
    for (const target of targets) statuses.push(await rawStatus(portOf(server), target));
    assert.deepEqual(statuses, [404, 404, 404, 404, 404, 200, 200]);
    assert.equal((await get("/")).status, 200);
  });

  test("outlives what keeps it from being made, and says so", async () => {
    broken = true;
    now += 10_000;
    assert.deepEqual([(await get("/")).status, (await get("/")).status], [500, 500]);
    assert.deepEqual(failures, ["Error: no such thing", "Error: no such thing"]);
    broken = false;
    assert.match((await get("/")).text, /app\/data/);
  });

  test("claims nothing before it sees the cluster, and looks again after a while", async () => {
    world = undefined;
    now += 10_000;
    assert.equal((await get("/")).status, 503);
    world = aWorld(claimed());
    now += 10_000;
    assert.match((await get("/")).text, /No volume is like that/);
    world = WORLD;
    assert.match((await get("/")).text, /No volume is like that/);
    now += 10_000;
    assert.match((await get("/")).text, /app\/data/);
  });

  test("shows a thousand volumes page by page", async (t) => {
    world = large();
    now += 10_000;
    const begun = performance.now();
    const { text } = await get("/?page=10");
    const planned = performance.now();
    await get("/?page=2");
    const again = performance.now() - planned;
    t.diagnostic(
      `planned and shown in ${Math.round(planned - begun)} ms, another page in ${again.toFixed(1)} ms, ${text.length} characters`,
    );
    assert.match(text, /1000 volumes/);
    assert.equal((await shown("/?page=10")).length, 100);
    assert.match(text, /<span aria-current="page">10<\/span>/);
    assert.equal((await shown("/?page=99")).length, 100);
    assert.ok(text.length < 400_000, `${text.length} characters`);
    world = WORLD;
  });
});

/** What a client gets that sends a request target as it is, which no library does. */
async function rawStatus(port: number, target: string): Promise<number> {
  const socket = connect(port, "127.0.0.1");
  socket.end(`GET ${target} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n`);
  const [, status] = /^HTTP\/1\.1 (\d+)/.exec(await textOf(socket)) ?? [];
  return Number(status);
}

test("a template escapes its values, and not what it is made of", () => {
  const inner = markup`<b>${"<&>"}</b>`;
  assert.equal(
    markup`<i title="${`"'`}">${inner}${[inner]}${undefined}</i>`.text,
    `<i title="&quot;&#39;"><b>&lt;&amp;&gt;</b><b>&lt;&amp;&gt;</b></i>`,
  );
});
