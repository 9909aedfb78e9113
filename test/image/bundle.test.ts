import assert from "node:assert/strict";
import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { chmod, mkdtemp, readdir, readFile, readlink, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { after, before, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { promisify } from "node:util";
import { aHeld, someKeys } from "../certs/pair.ts";
import { findPorts } from "../cluster/ports.ts";

const run = promisify(execFile);
const REVIEW = ["review", "--policy", "examples/policy.yaml", "-f", "examples/manifests.yaml", "-o", "json"];
/** A program that has something to say says it well within this. */
const MS = 20_000;

let directory = "";
let program = "";
before(async () => {
  directory = await mkdtemp(join(tmpdir(), "snapshot-retainer-image-"));
  program = join(directory, "main.js");
  // The directory has no package.json, which would tell Node that this is a module.
  await writeFile(join(directory, "package.json"), '{"type":"module"}');
  await run("npm", ["run", "--silent", "bundle", "--", "src/main.ts", `--outdir=${directory}`]);
});
after(async () => {
  await chmod(directory, 0o700);
  await rm(directory, { recursive: true });
});

test("the image's program reviews manifests as the sources do", async () => {
  const [bundled, sources] = await Promise.all(
    [program, "src/main.ts"].map(async (file) => run(process.execPath, [file, ...REVIEW])),
  );
  assert.ok((sources?.stdout ?? "").length > 1_000);
  // Each run makes aliases, and signs with a key, of its own.
  assert.equal(withoutRandom(bundled?.stdout), withoutRandom(sources?.stdout));
});

/** As the image's user where we may become another; the image has no home, and nothing in it can be written. */
const AS_IN_THE_IMAGE = {
  ...(process.getuid?.() === 0 && { uid: 65532, gid: 65532 }),
  cwd: "/",
  env: { PATH: "/nonexistent", HOME: "/nonexistent", TMPDIR: "/nonexistent", NODE_ENV: "production" },
};

test("the image's program serves probes and metrics, read-only and as another user, and ends when told", async () => {
  const [port, probePort] = await findPorts(2);
  const { cert, key } = aHeld(await someKeys(), { names: ["127.0.0.1"], now: new Date() });
  const kubeconfig = {
    clusters: [{ name: "c", cluster: { server: "https://127.0.0.1:1" } }],
    users: [{ name: "u", user: { token: "t" } }],
    contexts: [{ name: "x", context: { cluster: "c", user: "u" } }],
    "current-context": "x",
  };
  const files = { "cert.pem": cert ?? "", "key.pem": key ?? "", kubeconfig: JSON.stringify(kubeconfig) };
  for (const [name, text] of Object.entries(files)) await writeFile(join(directory, name), text);
  for (const name of await readdir(directory)) await chmod(join(directory, name), 0o444);
  await chmod(directory, 0o555);
  const flags = {
    kubeconfig: join(directory, "kubeconfig"),
    "policy-file": resolve("examples/policy.yaml"),
    "cert-mode": "files",
    "tls-cert": join(directory, "cert.pem"),
    "tls-key": join(directory, "key.pem"),
    host: "127.0.0.1",
    port: String(port),
    "probe-port": String(probePort),
    "drain-seconds": "0",
  };
  const child = spawn(
    process.execPath,
    [program, "webhook", ...Object.entries(flags).flatMap(([flag, value]) => [`--${flag}`, value])],
    { stdio: ["ignore", "ignore", "pipe"], ...AS_IN_THE_IMAGE },
  );
  const exited = once(child, "exit");
  try {
    assert.equal(await textOf(`http://127.0.0.1:${probePort}/healthz`), "ok\n");
    assert.match(await textOf(`http://127.0.0.1:${probePort}/metrics`), /snapshot_retainer_policy_valid 1/);
    assert.match(await textOf(`http://127.0.0.1:${probePort}/readyz`), /signing key: not loaded yet/);
    assert.deepEqual(await filesOpenForWriting(child.pid ?? 0), []);
  } finally {
    child.kill();
  }
  assert.deepEqual(await exited, [0, null]);
});

/** Files on a disk that a process could write to now; devices, sockets and pipes are none. */
async function filesOpenForWriting(pid: number): Promise<string[]> {
  const open = await readdir(`/proc/${pid}/fd`);
  const files = await Promise.all(
    open.map(async (fd) => {
      const [target, info] = await Promise.all([
        readlink(`/proc/${pid}/fd/${fd}`),
        readFile(`/proc/${pid}/fdinfo/${fd}`, "utf8"),
      ]);
      const flags = Number.parseInt(/^flags:\s*(\d+)$/m.exec(info)?.[1] ?? "0", 8);
      return target.startsWith("/") && !target.startsWith("/dev/") && (flags & 3) !== 0 ? target : undefined;
    }),
  );
  return files.filter((file) => file !== undefined);
}

async function textOf(url: string): Promise<string> {
  for (const end = Date.now() + MS; ;) {
    try {
      return await (await fetch(url)).text();
    } catch (error) {
      if (Date.now() > end) throw error;
      await sleep(50);
    }
  }
}

function withoutRandom(text = ""): string {
  return text
    .replaceAll(/[0-9a-f]{8}-[0-9a-f-]{27}/g, "ALIAS")
    .replaceAll(/signature\\*":\\*"[\w-]+/g, "signature")
    .replaceAll(/[A-Za-z0-9+/=]{100,}/g, "BASE64");
}
