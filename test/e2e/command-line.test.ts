import assert from "node:assert/strict";
import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { chmod, mkdir, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { promisify } from "node:util";
import * as z from "zod";
import { availableBinaries } from "../cluster/availability.ts";
import type { Cluster } from "../cluster/cluster.ts";
import { PROGRAM } from "../program.ts";
import type { Api } from "./api.ts";
import { backUp, createVolume, holds, somebodyLeads, startScene } from "./controller-scene.ts";
import type { Volume } from "./controller-scene.ts";
import { eventually } from "./eventually.ts";
import type { Movement } from "./play.ts";
import type { Product } from "./product.ts";
import { renderSession } from "./session.ts";
import type { Exchange } from "./session.ts";

const { binaries, skip } = await availableBinaries("demo");
const run = promisify(execFile);
const Failed = z.object({ code: z.number(), stdout: z.string(), stderr: z.string() });

const POLICY = { snapshotsToRetain: 2, ceilings: { drivers: { "array.csi.snapshot-retainer.io": 10 } } };

describe("the command line", { skip, timeout: 300_000 }, () => {
  let cluster: Cluster;
  let api: Api;
  let product: Product;
  let data: Volume;
  let logs: Volume;
  const movements: Movement[] = [];

  before(async () => {
    ({ cluster, api, product } = await startScene(binaries, POLICY));
    await (await product.startController()).ready();
    await somebodyLeads(product);
    [data, logs] = await Promise.all([createVolume(api, "data"), createVolume(api, "logs")]);
    for (const name of ["nightly-1", "nightly-2"]) movements.push(await backUp(api, data, name));
    movements.push(await backUp(api, logs, "weekly-1"));
  });
  after(async () => {
    await product.stop();
    await cluster.stop();
  });

  /** Runs a command as a person would; `file` is how the program is called. */
  async function retainer(...args: string[]): Promise<{ code: number; stdout: string; stderr: string }> {
    const kubeconfig = ["--kubeconfig", cluster.kubeconfig];
    try {
      const done = await run(process.execPath, [PROGRAM, ...args, ...kubeconfig]);
      return { code: 0, ...done };
    } catch (error) {
      return Failed.parse(error);
    }
  }

  /** `SCREENSHOTS=docs/images` keeps there what a person would have seen. */
  const session: Exchange[] = [];
  function keep(
    command: string,
    { stdout, stderr }: { readonly stdout: string; readonly stderr: string },
  ): void {
    session.push({ command: `kubectl retainer ${command}`, output: stdout + stderr });
  }

  /** The snapshot of the backup that was played at this place. */
  function snapshot(index: number): string {
    return movements[index]?.upload.metadata.name ?? "";
  }

  test("status says what the array holds, of each volume in a line", async () => {
    const shown = await retainer("status");
    keep("status", shown);
    const { stdout } = shown;
    assert.match(stdout, /^VOLUME +RETAINED +LIMIT +OLDEST +NEWEST +PINS +NEXT TO GO +WHEN\n/);
    assert.match(
      stdout,
      new RegExp(`^shop/data +2 +2 .* 0 +${snapshot(0)} +when the next snapshot is taken$`, "m"),
    );
    assert.match(stdout, new RegExp(`^shop/logs +1 +2 .* 0 +${snapshot(2)} +after 1 more$`, "m"));
  });

  test("status of one volume, as data", async () => {
    const { stdout } = await retainer("status", "shop/data", "--output", "json");
    const [row] = z.array(z.looseObject({ volume: z.string() })).parse(JSON.parse(stdout));
    assert.partialDeepStrictEqual(row, {
      volume: "shop/data",
      retained: 2,
      limit: 2,
      limitReason: "the policy's snapshotsToRetain",
      next: snapshot(0),
      pins: 0,
    });
    const unknown = await retainer("status", "shop/nothing");
    assert.equal(unknown.code, 1);
    assert.match(unknown.stderr, /shop\/nothing: no volume of this name/);
  });

  test("status --watch shows a change, and ends well at Ctrl-C", async () => {
    const args = [PROGRAM, "status", "--watch", "--interval", "1s", "--kubeconfig", cluster.kubeconfig];
    const child = spawn(process.execPath, args, { stdio: ["ignore", "pipe", "inherit"] });
    let seen = "";
    child.stdout.on("data", (chunk: Buffer) => void (seen += chunk.toString()));
    await eventually("it was shown twice", async () => assert.ok(seen.split("VOLUME").length > 2));
    child.kill("SIGINT");
    assert.deepEqual(await once(child, "exit"), [0, null]);
  });

  test("explain tells of a volume, a snapshot and a Backup", async () => {
    const volume = await retainer("explain", "shop/data");
    assert.match(volume.stdout, /^volume shop\/data\n +limit +2: the policy's snapshotsToRetain; ceiling 10/);
    const content = await retainer("explain", snapshot(0));
    keep(`explain ${snapshot(0)}`, content);
    assert.match(content.stdout, /decision +stays: among the newest of its volume .*within_number/);
    assert.match(content.stdout, /known by +(our signed document|the DataUpload)/);
    const backup = await retainer("explain", "nightly-1");
    assert.match(backup.stdout, /^backup velero\/nightly-1\n[\s\S]*number +2\n[\s\S]*velero backup delete/);
    const nothing = await retainer("explain", "nightly");
    assert.equal(nothing.code, 1);
    assert.match(nothing.stderr, /perhaps .*nightly-1/);
  });

  test("a pin outlasts the number, and unpin gives it up", async () => {
    const [oldest = ""] = movements.map(({ handle }) => handle);
    const pinned = await retainer("pin", snapshot(0), "--reason", "audit-2026");
    keep(`pin ${snapshot(0)} --reason audit-2026`, pinned);
    assert.equal(pinned.stdout, `${snapshot(0)} pinned\n`);
    movements.splice(2, 0, await backUp(api, data, "nightly-3"));
    await holds(cluster, data, [oldest, movements[2]?.handle ?? ""]);
    const again = await retainer("pin", snapshot(0), snapshot(2));
    assert.match(again.stdout, new RegExp(`^${snapshot(0)} is pinned already\n${snapshot(2)} pinned\n$`));
    assert.match(again.stderr, /shop\.data: 2 of 2 places are pinned/);
    assert.equal((await retainer("unpin", snapshot(0), snapshot(2))).code, 0);
    movements.splice(3, 0, await backUp(api, data, "nightly-4"));
    await holds(cluster, data, [movements[2]?.handle ?? "", movements[3]?.handle ?? ""]);
    const gone = await retainer("pin", snapshot(0));
    assert.equal(gone.code, 1);
    assert.match(gone.stderr, /not a snapshot of ours/);
    assert.equal((await retainer("pin", snapshot(2), "--reason", "no spaces")).code, 1);
  });

  test("policy check finds a mistake with its line, and shows what a policy would change", async () => {
    const file = join(cluster.directory, "proposed.yaml");
    const head = "apiVersion: snapshot-retainer.io/v1alpha1\nkind: RetentionPolicy\n";
    await writeFile(file, `${head}snapshotsToRetan: 1\n`);
    const wrong = await retainer("policy", "check", "-f", file);
    assert.equal(wrong.code, 1);
    assert.match(wrong.stderr, /proposed\.yaml: line 3: .*snapshotsToRetan/);
    await writeFile(
      file,
      `${head}snapshotsToRetain: 1\nrules:\n  - {name: logs, when: {namespaces: [nobody]}, snapshotsToRetain: 9}\n`,
    );
    const { code, stdout } = await retainer("policy", "check", "-f", file);
    assert.equal(code, 0);
    assert.match(stdout, /^shop\/data +2 +1 +2 +1 /m);
    assert.match(stdout, /2 of 2 volumes would change, 1 snapshots would go/);
    assert.equal((await retainer("policy", "check", "-f", file, "--syntax-only")).stdout, `${file}: valid\n`);
  });

  test("release frees all of a volume and nothing else, but what is pinned", async () => {
    const two = [movements[2]?.handle ?? "", movements[3]?.handle ?? ""];
    const unasked = await retainer("release", "shop/data");
    assert.equal(unasked.code, 1);
    assert.match(unasked.stderr, /give --yes/);
    const rehearsed = await retainer("release", "shop/data", "--dry-run");
    assert.match(rehearsed.stdout, new RegExp(`goes +${snapshot(3)}[\\s\\S]*nothing was changed`));
    await holds(cluster, data, two);

    await retainer("pin", snapshot(3));
    const partly = await retainer("release", "shop/data", "--yes");
    assert.equal(partly.code, 1);
    assert.match(partly.stdout, new RegExp(`stays +${snapshot(3)} +pinned`));
    await holds(cluster, data, two.slice(1));

    const all = await retainer("release", "shop/data", "--yes", "--include-pinned");
    keep("release shop/data --yes --include-pinned", all);
    assert.equal(all.code, 0, all.stderr);
    assert.match(all.stdout, /1 of 1 are gone/);
    await holds(cluster, data, []);
    await holds(cluster, logs, [movements[4]?.handle ?? ""]);
    assert.match((await retainer("release", "shop/data", "--yes")).stdout, /has no retained snapshot/);
    // The next backup is retained again.
    const next = await backUp(api, data, "nightly-5");
    await holds(cluster, data, [next.handle]);
  });

  test("a session is a picture", async () => {
    const picture = renderSession(session, 118);
    assert.match(picture, /class="command" xml:space="preserve">\$ kubectl retainer status</);
    const directory = process.env["SCREENSHOTS"];
    if (directory !== undefined) await writeFile(`${directory}/session.svg`, picture);
  });

  test("kubectl finds it as its plugin", async () => {
    const directory = join(cluster.directory, "plugins");
    await mkdir(directory);
    const plugin = join(directory, "kubectl-retainer");
    await writeFile(plugin, `#!/bin/sh\nexec "${process.execPath}" "${PROGRAM}" "$@"\n`);
    await chmod(plugin, 0o755);
    await symlink(cluster.binaries.kubectl, join(directory, "kubectl"));
    const env = {
      ...process.env,
      PATH: `${directory}:${process.env["PATH"] ?? ""}`,
      KUBECONFIG: cluster.kubeconfig,
    };
    const { stdout } = await run(join(directory, "kubectl"), ["retainer", "status"], { env });
    assert.match(stdout, /^VOLUME/);
  });

  test("completion knows the commands and their flags", async () => {
    const { stdout } = await run(process.execPath, [PROGRAM, "completion", "bash"]);
    const line =
      'COMP_WORDS=(snapshot-retainer status --vol); COMP_CWORD=2; _snapshot_retainer; echo "${COMPREPLY[*]}"';
    const completed = await run("bash", ["-c", `${stdout}\n${line}`]);
    assert.equal(completed.stdout.trim(), "--volume-namespace");
    const first =
      'COMP_WORDS=(snapshot-retainer rel); COMP_CWORD=1; _snapshot_retainer; echo "${COMPREPLY[*]}"';
    assert.equal((await run("bash", ["-c", `${stdout}\n${first}`])).stdout.trim(), "release");
  });

  test("a context that there is not, and a right that is missing, are named", async () => {
    const context = await retainer("status", "--context", "elsewhere");
    assert.equal(context.code, 2);
    assert.match(context.stderr, /--context: the kubeconfig has no "elsewhere"; it has /);
    const kubeconfig = await cluster.kubeconfigFor("shop", "default");
    const refused = await run(process.execPath, [PROGRAM, "status", "--kubeconfig", kubeconfig]).then(
      () => assert.fail("it was let in"),
      (error: unknown) => Failed.parse(error),
    );
    assert.equal(refused.code, 1);
    assert.match(refused.stderr, /forbidden[\s\S]*docs\/command-line\.md has the rights/);
  });
});
