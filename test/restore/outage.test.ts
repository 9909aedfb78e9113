import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { downSince, handBackReason } from "../../src/restore/outage.ts";
import { aPolicy } from "../builders/policy.ts";

/** What is to be said at the last of these looks at a controller; none where nothing is handed back. */
function afterLooks(
  looks: readonly { readonly at: number; readonly alive: boolean }[],
  handBackAfter = "2m",
): string | undefined {
  let since: number | undefined;
  let reason: string | undefined;
  for (const { at, alive } of looks) {
    since = downSince(since, alive, at * 1000);
    reason = handBackReason(since, at * 1000, aPolicy({ restore: { handBackAfter } }));
  }
  return reason;
}

function down(...seconds: readonly number[]): { at: number; alive: boolean }[] {
  return seconds.map((at) => ({ at, alive: false }));
}

describe("restores are handed back", () => {
  test("when the controller was down at each look, for longer than the policy allows", () => {
    const reason = "the controller has been down for longer than handBackAfter (2 min)";
    assert.equal(afterLooks(down(5, 60, 126)), reason);
  });

  test("after as long as the policy says", () => {
    const reason = "the controller has been down for longer than handBackAfter (1 min 30 s)";
    assert.equal(afterLooks(down(5, 96), "90s"), reason);
  });

  test("not at the very moment, and not before", () => {
    assert.equal(afterLooks(down(5, 125)), undefined);
  });

  test("not at the first look of a replica, whenever that is on its clock", () => {
    assert.equal(afterLooks(down(100_000)), undefined);
  });

  test("not while the controller is alive", () => {
    assert.equal(afterLooks([...down(5, 126), { at: 127, alive: true }]), undefined);
  });

  test("not when it was back in between, though both outages together were long", () => {
    assert.equal(afterLooks([...down(5, 100), { at: 101, alive: true }, ...down(104, 200)]), undefined);
  });

  test("when it is down for long again after it was back", () => {
    assert.match(
      afterLooks([...down(5, 100), { at: 101, alive: true }, ...down(104, 225)]) ?? "",
      /^the controller has been down/,
    );
  });
});
