import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { before, describe, test } from "node:test";
import { ACME_IN_ITS_NAMESPACE } from "../builders/policy.ts";
import { availableBinaries } from "../cluster/availability.ts";
import { CALLS_FILE, readCalls } from "../cluster/recorded-calls.ts";
import type { Call } from "../cluster/recorded-calls.ts";
import { render } from "../chart/chart.ts";
import { compare, covers, rightsOf } from "./rights.ts";
import type { Right } from "./rights.ts";

/**
 * The last step of a whole run: every call that our programs made in the end-to-end tests, as the API server's audit logs have
 * them, beside the roles that the chart renders. A right that nothing used is taken out of the chart; or what uses it is tested.
 */
const file = process.env[CALLS_FILE];
const { binaries, skip } = await availableBinaries("demo");
const recorded = file !== undefined && existsSync(file);
const why = recorded ? skip : "no calls were recorded: this needs a whole run";

/** Where the tests have a Velero, by the policies that they install; retention.test.ts has two. */
const VELEROS = ["velero", "velero-too"];
/** What every account may read of the API server itself (system:discovery). */
const PUBLIC = ["/openapi/v3/apis/velero.io/v2alpha1"];

describe("recorded calls and rendered roles", { skip: why }, () => {
  let calls: Call[];
  let rights: Right[];
  let granted: Right[];
  let pluginRights: Right[];
  before(async () => {
    const helm = binaries?.helm ?? "";
    calls = (await readCalls(file ?? "")).filter(({ resource }) => !PUBLIC.includes(resource));
    rights = rightsOf(await render(helm));
    granted = rightsOf(await render(helm, { values: { policy: { velero: { namespaces: VELEROS } } } }));
    const withPlugin = await render(helm, {
      values: { policy: { snapshotAssociatedObjects: [ACME_IN_ITS_NAMESPACE] } },
    });
    const usual = new Set(rights.map((right) => JSON.stringify(right)));
    pluginRights = rightsOf(withPlugin).filter((right) => !usual.has(JSON.stringify(right)));
  });

  test("every call is allowed by the chart's roles", () => {
    const ofPlugin = calls.filter(
      (call) =>
        ["", "acme-mover"].includes(call.namespace) && pluginRights.some((right) => covers(right, call)),
    );
    const others = calls.filter((call) => !ofPlugin.includes(call));
    assert.deepEqual(compare(others, granted).notGranted, []);
  });

  test("every right of the chart's roles was used", () => {
    assert.deepEqual(compare(calls, [...rights, ...pluginRights]).notUsed, []);
  });
});
