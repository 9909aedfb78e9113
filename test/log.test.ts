import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { describe, test } from "node:test";
import { promisify } from "node:util";
import { createLines, createLog } from "../src/log.ts";

const module = new URL("../src/log.ts", import.meta.url).href;

describe("lines of the log", () => {
  test("are written together, in their order, once there are 8 KiB of them", () => {
    const written: string[] = [];
    const lines = createLines({ write: (text) => written.push(text) });
    const line = `${"x".repeat(999)}\n`;
    for (let count = 0; count < 8; count += 1) {
      lines.write(`${count}${line}`);
    }
    assert.deepEqual(written, []);
    lines.write("last\n");
    lines.write("next\n");
    lines.write(line.repeat(9));
    const first = `${[0, 1, 2, 3, 4, 5, 6, 7].map((count) => `${count}${line}`).join("")}last\nnext\n`;
    assert.equal(written.join(""), `${first}${line.repeat(9)}`);
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

  test("written the short way are those that pino would write, where their level is shown", () => {
    let written = "";
    const destination = { write: (text: string) => (written += text) };
    const log = createLog("info", destination);
    const fields = { uid: "u-1", name: 'a "name"', namespace: undefined, durationMs: 1.5 };
    log.info(fields, "admission");
    log.plain(fields, "admission");
    createLog("warn", destination).plain(fields, "not shown");
    log.flush();
    const [first, second, ...others] = written.trimEnd().split("\n").map(withoutTime);
    assert.deepEqual(second, first);
    assert.deepEqual(others, []);
  });

  for (const end of ["process.exit(0)", "throw new Error('x')", "undefined"]) {
    test(`are all written when the process ends by: ${end}`, async () => {
      const program = `import { createLog } from "${module}"; createLog("info").info("last"); ${end};`;
      const run = promisify(execFile)(process.execPath, ["--input-type=module", "-e", program]);
      const { stderr } = await run.catch((error: unknown) => ({ stderr: textOf(error) }));
      assert.match(stderr, /"msg":"last"/);
    });
  }
});

function withoutTime(line: string): string {
  const without = line.replace(/"time":"[^"]+"/, '"time":""');
  assert.notEqual(without, line);
  return without;
}

function textOf(error: unknown): string {
  return typeof error === "object" && error !== null && "stderr" in error ? String(error.stderr) : "";
}
