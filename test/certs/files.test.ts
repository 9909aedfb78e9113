import assert from "node:assert/strict";
import { mkdir, mkdtemp, rename, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { startFiles } from "../../certs/files.ts";
import type { Held } from "../../certs/bundle.ts";
import { waitForPair, type CertificateLog, type CertificateSource } from "../../certs/source.ts";
import { aHeld, someKeys } from "./pair.ts";

const keys = await someKeys();
const DAY_MS = 24 * 3_600_000;
const now = new Date("2026-11-23T10:00:00Z");
const first = aHeld(keys, { names: ["first.example"], now });
const second = aHeld(keys, { names: ["second.example"], now });

let directory: string;
let source: CertificateSource;
let stopping: AbortController;
let clock: Date;
let warnings: object[];

const log: CertificateLog = {
  info: () => undefined,
  warn: (fields) => void warnings.push(fields),
  error: () => undefined,
};

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "certs-files-"));
  stopping = new AbortController();
  clock = now;
  warnings = [];
});

afterEach(async () => {
  await source.stop();
  await rm(directory, { recursive: true });
});

describe("startFiles", () => {
  test("serves the pair of the files", async () => {
    await mountAs("..1", first);
    const pair = await start();
    assert.equal(pair.cert, first.cert);
    assert.equal(pair.key, first.key);
    assert.deepEqual(pair.names, ["first.example"]);
    assert.equal(pair.notAfter.toISOString(), "2026-12-07T10:00:00.000Z");
    assert.equal(source.published(), true);
    assert.equal(source.problem(), undefined);
  });

  test("reloads within three seconds when a mounted Secret's symbolic link is swapped", async () => {
    await mountAs("..1", first);
    await start();
    const told: string[] = [];
    source.subscribe(({ names }) => void told.push(...names));
    await mountAs("..2", second);
    await until(() => source.current()?.cert === second.cert, 3_000);
    assert.deepEqual(told, ["second.example"]);
  });

  const broken: Record<string, { pair: Partial<Held>; problem: RegExp }> = {
    "whose key is another's": {
      pair: { cert: second.cert, key: keys.ca.privateKey },
      problem:
        /the key in ".*tls\.key" does not belong to the certificate in ".*tls\.crt" \(CN=snapshot-retainer\)/,
    },
    "without a certificate": {
      pair: { cert: "", key: second.key },
      problem: /tls\.crt" holds no PEM certificate/,
    },
    "that is half written": {
      pair: { cert: second.cert?.slice(0, 300), key: second.key },
      problem: /no PEM/,
    },
    "without a key": { pair: { cert: second.cert }, problem: /cannot read ".*tls\.key": ENOENT/ },
  };
  for (const [name, { pair, problem }] of Object.entries(broken)) {
    test(`keeps the old pair and reports once a new one ${name}`, async () => {
      await mountAs("..1", first);
      await start();
      await mountAs("..2", pair);
      await until(() => source.problem() !== undefined, 3_000);
      assert.match(source.problem() ?? "", problem);
      assert.equal(source.current()?.cert, first.cert);
      assert.equal(source.published(), true);
      await mountAs("..3", second);
      await until(() => source.problem() === undefined, 6_000);
      assert.equal(source.current()?.cert, second.cert);
      assert.equal(warnings.length, 1);
    });
  }

  test("waits for files that are not there yet", async () => {
    const path = join(directory, "later");
    source = startFiles({ ...paths(path), now: () => clock, log, signal: stopping.signal });
    await until(() => source.problem() !== undefined, 1_000);
    assert.match(source.problem() ?? "", /cannot read ".*": ENOENT.*; mount the Secret or ConfigMap there/);
    assert.equal(source.current(), undefined);
    assert.equal(source.published(), false);
    await mkdir(path);
    await write(path, first);
    assert.equal((await waitForPair(source, AbortSignal.timeout(15_000))).cert, first.cert);
  });

  test("is not published outside the certificate's validity, and says so", async () => {
    await mountAs("..1", first);
    await start();
    clock = new Date(now.getTime() + 31 * DAY_MS);
    assert.equal(source.published(), false);
    assert.match(source.problem() ?? "", /expired at 2026-12-07T10:00:00.000Z: renew it/);
    clock = new Date(now.getTime() - DAY_MS);
    assert.equal(source.published(), false);
    assert.match(source.problem() ?? "", /valid from 2026-11-23T09:00:00.000Z only/);
  });

  test("ends with its signal", async () => {
    await mountAs("..1", first);
    await start();
    stopping.abort();
    await source.stop();
    await mountAs("..2", second);
    await sleep(300);
    assert.equal(source.current()?.cert, first.cert);
  });
});

function start(): ReturnType<typeof waitForPair> {
  source = startFiles({ ...paths(directory), now: () => clock, log, signal: stopping.signal });
  return waitForPair(source, AbortSignal.timeout(2_000));
}

function paths(at: string): { certFile: string; keyFile: string } {
  return { certFile: join(at, "tls.crt"), keyFile: join(at, "tls.key") };
}

/** Does what the kubelet does: a directory of its own for each version, and `..data` swapped by a rename. */
async function mountAs(version: string, pair: Partial<Held>): Promise<void> {
  const path = join(directory, version);
  await mkdir(path);
  await write(path, pair);
  await symlink(version, join(directory, "..data_tmp"));
  await rename(join(directory, "..data_tmp"), join(directory, "..data"));
  for (const file of ["tls.crt", "tls.key"]) {
    await symlink(join("..data", file), join(directory, file)).catch(() => undefined);
  }
}

async function write(path: string, { cert, key }: Partial<Held>): Promise<void> {
  if (cert !== undefined) await writeFile(join(path, "tls.crt"), cert);
  if (key !== undefined) await writeFile(join(path, "tls.key"), key);
}

async function until(condition: () => boolean, withinMs: number): Promise<void> {
  const end = performance.now() + withinMs;
  while (!condition()) {
    assert.ok(performance.now() < end, `not within ${String(withinMs)} ms`);
    await sleep(20);
  }
}
