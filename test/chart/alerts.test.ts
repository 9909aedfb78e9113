import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { promisify } from "node:util";
import { stringify } from "yaml";
import * as z from "zod";
import { createControllerMetrics } from "../../src/controller/metrics.ts";
import { createMetrics } from "../../src/metrics.ts";
import { availableBinaries } from "../cluster/availability.ts";
import { debianProgram } from "../cluster/debian.ts";
import { FAULTS, HEALTHY } from "./alert-cases.ts";
import type { Series } from "./alert-cases.ts";
import { only, render } from "./chart.ts";

const { binaries, skip } = await availableBinaries("demo");
const promtool = await debianProgram("prometheus", "usr/bin/promtool");
const run = promisify(execFile);

const Rules = z.object({
  spec: z.object({
    groups: z.array(
      z.object({
        name: z.string(),
        rules: z.array(
          z.looseObject({
            alert: z.string(),
            labels: z.object({ severity: z.enum(["warning", "critical"]) }),
            annotations: z.object({ summary: z.string(), description: z.string(), runbook_url: z.string() }),
          }),
        ),
      }),
    ),
  }),
});
const Texts = z.record(z.string(), z.string());
const Dashboard = z.object({ metadata: z.object({ labels: Texts, annotations: Texts }), data: Texts });
type Groups = z.infer<typeof Rules>["spec"]["groups"];

/** The rules of the chart, as a file of Prometheus. */
async function renderedGroups(): Promise<Groups> {
  const values = { metrics: { prometheusRule: { enabled: true } } };
  const objects = await render(binaries?.helm ?? "", { values });
  return objects
    .filter(({ kind }) => kind === "PrometheusRule")
    .flatMap((object) => Rules.parse(object).spec.groups);
}

describe("alerts", { skip }, () => {
  let groups: Groups;
  let alerts: string[];
  before(async () => {
    groups = await renderedGroups();
    alerts = groups.flatMap(({ rules }) => rules.map(({ alert }) => alert));
  });

  test("each has a runbook, and each runbook its alert", () => {
    const pages = readdirSync("docs/runbooks")
      .filter((file) => file !== "README.md")
      .map((file) => file.replace(/\.md$/, ""));
    assert.deepEqual(pages.toSorted(), alerts.toSorted());
    for (const { alert, annotations } of groups.flatMap(({ rules }) => rules)) {
      assert.ok(annotations.runbook_url.endsWith(`/docs/runbooks/${alert}.md`), annotations.runbook_url);
      const text = readFileSync(`docs/runbooks/${alert}.md`, "utf8");
      for (const heading of ["What it means", "What is at stake", "How to look", "How to mend"]) {
        assert.ok(text.includes(`## ${heading}\n`), `${alert}: ${heading}`);
      }
    }
  });

  test("each has a fault that makes it fire", () => {
    assert.deepEqual(Object.keys(FAULTS).toSorted(), alerts.toSorted());
  });

  test("ask for metrics that there are", () => {
    const sources = ["src/metrics.ts", "src/controller/metrics.ts"].map((file) => readFileSync(file, "utf8"));
    const known = new Set(sources.join("").match(/snapshot_retainer_[a-z_]+/g));
    const asked = new Set(JSON.stringify(groups).match(/snapshot_retainer_[a-z_]+/g));
    assert.deepEqual(
      [...asked].filter((name) => !known.has(name)),
      [],
    );
  });
});

describe("the dashboard", { skip }, () => {
  test("asks for metrics that there are, and is where Grafana's sidecar looks", async () => {
    const values = {
      metrics: { grafanaDashboard: { enabled: true, annotations: { grafana_folder: "Backup" } } },
    };
    const objects = await render(binaries?.helm ?? "", { values });
    const found = only(objects, "ConfigMap", "snapshot-retainer-dashboard");
    const { metadata, data } = Dashboard.parse(found);
    assert.equal(metadata.labels["grafana_dashboard"], "1");
    assert.equal(metadata.annotations["grafana_folder"], "Backup");
    const text = data["snapshot-retainer.json"] ?? "";
    const { panels } = z.object({ panels: z.array(z.unknown()) }).parse(JSON.parse(text));
    assert.ok(panels.length > 10);
    const { registry } = createMetrics();
    createControllerMetrics(registry);
    const sources = ["src/metrics.ts", "src/controller/metrics.ts"].map((file) => readFileSync(file, "utf8"));
    const known = new Set(sources.join("").match(/snapshot_retainer_[a-z_]+/g));
    for (const { name } of registry.getMetricsAsArray()) known.add(name);
    const asked = new Set(text.match(/(snapshot_retainer|nodejs|process)_[a-z0-9_]+/g));
    const missing = [...asked].filter((name) => !known.has(name.replace(/_bucket$/, "")));
    assert.deepEqual(missing, []);
  });
});

describe(
  "by promtool",
  { skip: skip !== false ? skip : promtool.kind === "missing" ? promtool.reason : false },
  () => {
    const tool = promtool.kind === "found" ? promtool.file : "";
    let directory = "";
    let rules = "";
    before(async () => {
      directory = await mkdtemp(join(tmpdir(), "alerts-"));
      rules = join(directory, "rules.yaml");
      await writeFile(rules, stringify({ groups: await renderedGroups() }));
    });
    after(async () => rm(directory, { recursive: true, force: true }));

    async function testRules(name: string, series: Series, firing: readonly string[]): Promise<void> {
      const all = (await renderedGroups()).flatMap((group) => group.rules.map(({ alert }) => alert));
      const file = join(directory, `${name}.yaml`);
      // Without labels, promtool compares whole alerts: what is asked here is which are there.
      const queries = all.map((alert) => ({
        expr: `count(ALERTS{alertname="${alert}",alertstate="firing"}) or vector(0)`,
        eval_time: "3h",
        exp_samples: [{ labels: "{}", value: firing.includes(alert) ? 1 : 0 }],
      }));
      const input = Object.entries(series).map(([metric, values]) => ({ series: metric, values }));
      await writeFile(
        file,
        stringify({
          rule_files: ["rules.yaml"],
          evaluation_interval: "1m",
          tests: [{ interval: "1m", input_series: input, promql_expr_test: queries }],
        }),
      );
      await run(tool, ["test", "rules", file]).catch((error: unknown) => {
        assert.fail(z.object({ stdout: z.string(), stderr: z.string() }).parse(error).stderr);
      });
    }

    test("the rules are well formed", async () => {
      const { stdout } = await run(tool, ["check", "rules", rules]);
      assert.match(stdout, /SUCCESS: \d+ rules found/);
    });

    test("the metrics keep to Prometheus' conventions", async () => {
      const { registry } = createMetrics();
      createControllerMetrics(registry);
      const text = (await registry.metrics()).replaceAll(/^(# (HELP|TYPE) )?(nodejs|process)_.*\n/gm, "");
      const checked = run(tool, ["check", "metrics"]);
      checked.child.stdin?.end(text);
      assert.deepEqual(await checked, { stdout: "", stderr: "" });
    });

    test("none fires where all is well", async () => testRules("healthy", HEALTHY, []));

    for (const [alert, series] of Object.entries(FAULTS)) {
      test(`${alert} fires, and no other`, async () => {
        const merged = Object.entries({ ...HEALTHY, ...series }).filter(([, values]) => values !== "");
        await testRules(alert, Object.fromEntries(merged), [alert]);
      });
    }

    test("a rule that never fires would be found", async () => {
      await assert.rejects(testRules("wrong", HEALTHY, ["SnapshotRetainerNoLeader"]));
    });
  },
);

test("the unpacked program is there, or says why not", () => {
  assert.ok(promtool.kind === "missing" ? promtool.reason !== "" : existsSync(promtool.file));
});
