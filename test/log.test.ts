import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { describe, test } from "node:test";
import { promisify } from "node:util";
import { createLines } from "../src/log.ts";

const log = new URL("../src/log.ts", import.meta.url).href;

describe("lines of the log", () => {
  test("are written together, in their order, once there are 4 KiB of them", () => {
    const written: string[] = [];
    const lines = createLines({ write: (text) => written.push(text) });
    const line = `${"x".repeat(999)}\n`;
    for (let count = 0; count < 4; count += 1) {
      lines.write(`${count}${line}`);
    }
    assert.deepEqual(written, []);
    lines.write("last\n");
    lines.write("next\n");
    lines.write(line.repeat(5));
    const first = `0${line}1${line}2${line}3${line}last\nnext\n`;
    assert.equal(written.join(""), `${first}${line.repeat(5)}`);
    assert.ok(written.length <= 2);
  });

  test("wait for a tenth of a second at most", (context) => {
    context.mock.timers.enable({ apis: ["setTimeout"] });
    const written: string[] = [];
    const lines = createLines({ write: (text) => written.push(text) });
    lines.write("one\n");
    context.mock.timers.tick(99);
    lines.write("two\n");
    assert.deepEqual(written, []);
    context.mock.timers.tick(1);
    assert.deepEqual(written, ["one\ntwo\n"]);
    lines.write("three\n");
    context.mock.timers.tick(100);
    assert.deepEqual(written, ["one\ntwo\n", "three\n"]);
  });

  for (const end of ["process.exit(0)", "throw new Error('x')", "undefined"]) {
    test(`are all written when the process ends by: ${end}`, async () => {
      const program = `import { createLog } from "${log}"; createLog("info").info("last"); ${end};`;
      const run = promisify(execFile)(process.execPath, ["--input-type=module", "-e", program]);
      const { stderr } = await run.catch((error: unknown) => ({ stderr: textOf(error) }));
      assert.match(stderr, /"msg":"last"/);
    });
  }
});

function textOf(error: unknown): string {
  return typeof error === "object" && error !== null && "stderr" in error ? String(error.stderr) : "";
}
