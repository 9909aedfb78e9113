import assert from "node:assert/strict";
import { execFile, spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { dirname } from "node:path";
import { test } from "node:test";
import { promisify } from "node:util";
import { availableBinaries } from "../cluster/availability.ts";

const { skip } = await availableBinaries("all");

test(
  "the demo shows every step, leaves the cluster up with KEEP=1, and ends without a trace",
  { skip },
  async () => {
    const demo = spawn(process.execPath, ["test/demo/main.ts"], { env: { ...process.env, KEEP: "1" } });
    const ended = new Promise<number | null>((resolve) => demo.once("close", resolve));
    let text = "";
    for (const stream of [demo.stdout, demo.stderr]) {
      stream.setEncoding("utf8").on("data", (part: string) => (text += part));
    }
    demo.stdout.on("data", () => {
      if (text.includes("The logs: ")) demo.kill("SIGINT");
    });
    assert.equal(await ended, 0, text);

    assert.deepEqual(
      text.match(/^\d+\/11/gm),
      Array.from({ length: 11 }, (_, step) => `${step + 1}/11`),
    );
    assert.match(text, /^ {2}\+ {3}backup\.velero\.io\/data-mover-snapshot-to-retain: 2$/m);
    assert.match(text, /^ {2}\+ {3}deletionPolicy: Retain$/m);
    assert.match(text, /^ {2}- {3}velero\.io\/snapshot-volume-name: prod-shop\.data$/m);
    assert.match(text, /line 4: snapshotToRetain:\s+unknown field/);
    assert.deepEqual(heldAfterEach(text), ["1", "1 2", "2 3", "3 4", "4", "4"]);
    assert.deepEqual(text.match(/\d+ snapshots refused/g), Array(6).fill("0 snapshots refused"));
    assert.match(text, /^ {2}nightly-4-\w+ .* kept /m);
    assert.match(text, /The array: the volume was made from snap-\w+$/m);
    assert.match(
      text,
      /Data mover: snapshot-retainer; from retained snapshot nightly-4-\w+ of backup nightly-4/,
    );
    assert.match(text, /Data mover: velero; by data movement: /);
    assert.match(text, /^ *from the snapshot +\d+\.\d s +\d+\.\d s +none/m);
    assert.match(text, /^ *by data movement +\d+\.\d s +\d+\.\d s +not done here/m);
    assert.ok(!text.includes("\u001B"), "plain where there is no terminal");

    const directory = dirname(/export KUBECONFIG=(\S+)/.exec(text)?.[1] ?? "");
    assert.notEqual(directory, ".");
    assert.ok(!existsSync(directory), `${directory} is left behind`);
    const { stdout: processes } = await promisify(execFile)("ps", ["-eo", "args"]);
    assert.ok(!processes.includes(directory), "a process is left behind");
  },
);

/** The nights whose snapshots the array held, each time that it was asked. */
function heldAfterEach(text: string): string[] {
  return [...text.matchAll(/The array: \d+ of .*\n((?: {4}snap-\w+ of nightly-\d\n)*)/g)].map(
    ([, held = ""]) => [...held.matchAll(/nightly-(\d)/g)].map(([, night]) => night).join(" "),
  );
}
