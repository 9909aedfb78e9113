import { execFile, spawn } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { copyFile, mkdir, mkdtemp, readFile, rename, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { promisify } from "node:util";
import { aHeld, someKeys } from "../certs/pair.ts";
import { buildModule } from "../cluster/build-module.ts";
import { cacheDirectory } from "../cluster/cache-directory.ts";
import type { Cluster } from "../cluster/cluster.ts";
import type { GoModule } from "../cluster/go-modules.ts";
import { findPorts } from "../cluster/ports.ts";
import { ask } from "./answers.ts";
import { BODIES } from "./bodies.ts";
import { usageOf } from "./process-usage.ts";
import type { Server } from "./servers.ts";

/** What others would build a webhook with; their programs as their own projects build them. */
const GO: GoModule = {
  name: "controller-runtime",
  directory: join(import.meta.dirname, "go"),
  packages: ["./webhook", "./informer"],
  links: {},
  flags: ["-buildvcs=false", "-ldflags=-s -w"],
  withManifests: false,
};

/** Builds what is written in Go, and gives the directory of its programs. */
export async function buildGo(onProgress: (text: string) => void): Promise<string> {
  let told = "";
  return buildModule(GO, cacheDirectory(process.env), {
    onProgress({ phase }) {
      if (phase !== told) onProgress(`${GO.name}: ${phase}`);
      told = phase;
    },
  });
}

/** Starts a controller-runtime webhook on one processor, as each of the others has one thread. */
export async function startControllerRuntime(form: "usual" | "thin", programs: string): Promise<Server> {
  const [port = 0] = await findPorts(1);
  const { directory } = await writePair();
  const args = ["-form", form, "-port", String(port), "-certificates", directory];
  const child = spawn(join(programs, "webhook"), args, {
    stdio: "ignore",
    env: { ...process.env, GOMAXPROCS: "1" },
  });
  return serverOf(form === "usual" ? "controller-runtime" : "controller-runtime thin", child, {
    port,
    path: "/mutate",
    directory,
  });
}

/** Starts Pepr, whose store is in this cluster. */
export async function startPepr({
  kubeconfig,
  kubectl,
}: Pick<Cluster, "kubeconfig" | "kubectl">): Promise<Server> {
  const packages = await installPepr();
  await kubectl(["create", "namespace", "pepr-system"]);
  await definePeprStore(packages, kubeconfig);
  const [port = 0] = await findPorts(1);
  const { directory } = await writePair();
  const child = spawn(process.execPath, [join(packages, "webhook.mjs"), String(port)], {
    stdio: "ignore",
    env: {
      ...process.env,
      KUBECONFIG: kubeconfig,
      NODE_ENV: "production",
      PEPR_API_PATH: "bench",
      SSL_KEY_PATH: join(directory, "tls.key"),
      SSL_CERT_PATH: join(directory, "tls.crt"),
    },
  });
  return serverOf("pepr", child, { port, path: "/mutate/bench", directory });
}

/** Pepr's entry point defines its store, then ends: it finds no module where an image has one. */
async function definePeprStore(packages: string, kubeconfig: string): Promise<void> {
  const entry = [join(packages, "node_modules/pepr/dist/controller.js"), "0".repeat(64)];
  const env = { ...process.env, KUBECONFIG: kubeconfig };
  await promisify(execFile)(process.execPath, entry, { env }).catch(() => undefined);
}

/** Into the cache, by its own lock file. */
async function installPepr(): Promise<string> {
  const source = join(import.meta.dirname, "pepr");
  const files = ["package.json", "package-lock.json", "webhook.mjs"];
  const hash = createHash("sha256");
  for (const file of files) hash.update(await readFile(join(source, file)));
  const place = join(cacheDirectory(process.env), `pepr-${hash.digest("hex").slice(0, 16)}`);
  if (existsSync(place)) return place;
  await mkdir(cacheDirectory(process.env), { recursive: true });
  const unfinished = await mkdtemp(`${place}.unfinished-`);
  for (const file of files) await copyFile(join(source, file), join(unfinished, file));
  const flags = ["--legacy-peer-deps", "--ignore-scripts", "--omit=dev", "--no-audit", "--no-fund"];
  await promisify(execFile)("npm", ["ci", ...flags], { cwd: unfinished });
  await rename(unfinished, place);
  return place;
}

/** The certificate that each of them serves, for 127.0.0.1. */
async function writePair(): Promise<{ readonly directory: string }> {
  const directory = await mkdtemp(join(tmpdir(), "bench-pair-"));
  const held = aHeld(await someKeys(), { names: ["127.0.0.1"], now: new Date() });
  const files = { "tls.crt": held.cert, "tls.key": held.key, "ca.crt": held.caCert };
  for (const [name, text = ""] of Object.entries(files)) await writeFile(join(directory, name), text);
  return { directory };
}

async function serverOf(
  name: string,
  child: ChildProcess,
  { port, path, directory }: { readonly port: number; readonly path: string; readonly directory: string },
): Promise<Server> {
  function stop(): void {
    child.kill("SIGKILL");
  }
  process.once("exit", stop);
  const server: Server = {
    name,
    pid: child.pid ?? 0,
    port,
    path,
    ca: await readFile(join(directory, "ca.crt"), "utf8"),
    usage: async () => usageOf(child.pid ?? 0),
    watch: async () => undefined,
    async stop() {
      process.off("exit", stop);
      stop();
      await rm(directory, { recursive: true, force: true });
    },
  };
  await untilItAnswers(server, child);
  return server;
}

/** Pepr answers once it has its store, which takes it up to three seconds by design. */
const STARTS_WITHIN_MS = 60_000;

async function untilItAnswers(server: Server, child: ChildProcess): Promise<void> {
  const [body = ""] = BODIES["Backup"] ?? [];
  const end = performance.now() + STARTS_WITHIN_MS;
  while (performance.now() < end && child.exitCode === null) {
    const text = await ask(server, body).catch(() => "");
    if (text.includes('"allowed":true')) return;
    await sleep(50);
  }
  throw new Error(`${server.name} (process ${child.pid ?? 0}) does not answer`);
}
