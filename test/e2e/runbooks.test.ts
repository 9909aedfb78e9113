import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { stringify } from "yaml";
import * as z from "zod";
import { render } from "../chart/chart.ts";
import { availableBinaries } from "../cluster/availability.ts";
import type { Cluster } from "../cluster/cluster.ts";
import { debianProgram } from "../cluster/debian.ts";
import { fires, parseScrape } from "./alert-evaluation.ts";
import type { Scrape } from "./alert-evaluation.ts";
import type { Api, Ref } from "./api.ts";
import { createVolume, startScene } from "./controller-scene.ts";
import type { Volume } from "./controller-scene.ts";
import { eventually } from "./eventually.ts";
import { readMetric } from "./metrics.ts";
import { aBackup, aName } from "./objects.ts";
import { beginBackup, endBackup, playBackup } from "./play.ts";
import { NAMESPACE } from "./product.ts";
import type { Product } from "./product.ts";
import { rawPost } from "./raw-post.ts";
import { aContent } from "./velero.ts";

const { binaries, skip } = await availableBinaries("demo");
const promtool = await debianProgram("prometheus", "usr/bin/promtool");
const POLICY = {
  snapshotsToRetain: 2,
  waitForRoom: "1s",
  ceilings: { drivers: { "array.csi.snapshot-retainer.io": 10 } },
};
const CONTROLLER = { flags: ["--canary-every", "1s"] };

const Groups = z.object({ spec: z.object({ groups: z.array(z.unknown()) }) });

/**
 * A fault that an alert is about, and what its runbook says to do. Those of certificates are injected by e2e/certs and e2e/rotation; what takes
 * an hour to be late is left to chart/alerts.
 */
interface Fault {
  readonly inject: () => Promise<void>;
  readonly mend: () => Promise<void>;
}

describe(
  "each runbook, followed with its fault",
  { skip: skip !== false ? skip : promtool.kind === "missing" ? promtool.reason : false, timeout: 600_000 },
  () => {
    let cluster: Cluster;
    let api: Api;
    let product: Product;
    let data: Volume;
    let directory = "";
    const contents: string[] = [];

    before(async () => {
      ({ cluster, api, product } = await startScene(binaries, POLICY));
      await (await product.startReplica()).ready();
      await (await product.startController(CONTROLLER)).ready();
      await leads();
      directory = await mkdtemp(join(tmpdir(), "runbooks-"));
      const values = { metrics: { prometheusRule: { enabled: true } } };
      const objects = await render(binaries?.helm ?? "", { values });
      const groups = objects
        .filter(({ kind }) => kind === "PrometheusRule")
        .flatMap((object) => Groups.parse(object).spec.groups);
      await writeFile(join(directory, "rules.yaml"), stringify({ groups }));
      data = await createVolume(api, "data");
      for (const name of ["one", "two"]) contents.push(await retain(name));
    });
    after(async () => {
      await rm(directory, { recursive: true, force: true });
      await product.stop();
      await cluster.stop();
    });

    async function leads(): Promise<void> {
      await eventually("somebody leads", async () => {
        assert.equal(await readMetric(product.runningControllers(), "snapshot_retainer_leader"), 1);
      });
    }

    async function retain(name: string): Promise<string> {
      const { upload } = await playBackup(api, {
        name,
        claim: data.claim,
        ending: "completed",
        pauses: {
          async copying({ upload }) {
            await eventually("it is recorded", async () =>
              assert.ok("dataMoverResult" in (await api.read(upload)).status),
            );
          },
        },
      });
      await eventually("it is retained", async () => {
        const { labels } = (await api.read(aContent(upload.metadata.name))).metadata;
        assert.equal(labels["snapshot-retainer.io/retained"], "true");
      });
      return upload.metadata.name;
    }

    async function scrape(): Promise<Scrape> {
      const running = [...product.running(), ...product.runningControllers()];
      const ours = running.map(async ({ probes, process: { pid = 0 } }) =>
        parseScrape(await (await fetch(`${probes}/metrics`)).text(), String(pid)),
      );
      const apiServer = (await cluster.kubectl(["get", "--raw", "/metrics"])).stdout;
      const failOpen = apiServer
        .split("\n")
        .filter((line) => line.startsWith("apiserver_admission_webhook_fail_open"));
      return new Map([...(await Promise.all(ours)).flat(), ...parseScrape(failOpen.join("\n"), "apiserver")]);
    }

    async function helmUpgrade(): Promise<void> {
      const chart = ["snapshot-retainer", "charts/snapshot-retainer"];
      await cluster.helm([
        "upgrade",
        ...chart,
        "--namespace",
        NAMESPACE,
        "--values",
        product.values,
        "--force",
      ]);
    }

    async function pin(value: string | null): Promise<void> {
      for (const name of contents) {
        await api.patch(aContent(name), { metadata: { labels: { "snapshot-retainer.io/pin": value } } });
      }
    }

    async function noReplica(): Promise<void> {
      for (const replica of product.running()) await replica.stop("SIGKILL");
      await api.create(aBackup(), { dryRun: true });
    }

    async function twoReplicas(): Promise<void> {
      while (product.running().length < 2) await (await product.startReplica()).ready();
    }

    async function withdrawRights(): Promise<void> {
      const metadata = { name: "snapshot-retainer-controller" };
      await api.remove({ apiVersion: "rbac.authorization.k8s.io/v1", kind: "ClusterRoleBinding", metadata });
    }

    const faults: Record<string, Fault> = {
      SnapshotRetainerPolicyInvalid: {
        async inject() {
          await api.remove({ ...CONFIGURATION, kind: "ValidatingWebhookConfiguration" });
          await api.patch(POLICY_REF, { data: { "policy.yaml": "kind: Nonsense" } });
        },
        async mend() {
          await helmUpgrade();
          await product.applyPolicy(POLICY);
        },
      },
      SnapshotRetainerGivesUp: {
        async inject() {
          const [replica] = product.running();
          await rawPost(`${replica?.url ?? ""}/mutate`, "no JSON", { ca: await product.authority() });
        },
        mend: async () => undefined,
      },
      SnapshotRetainerNoLeader: {
        inject: async () =>
          void (await Promise.all(product.runningControllers().map(async (one) => one.stop()))),
        async mend() {
          await (await product.startController(CONTROLLER)).ready();
          await leads();
        },
      },
      SnapshotRetainerAbsent: { inject: noReplica, mend: twoReplicas },
      SnapshotRetainerBypassed: { inject: noReplica, mend: twoReplicas },
      SnapshotRetainerCanaryUnmutated: { inject: noReplica, mend: twoReplicas },
      SnapshotRetainerPinsFull: { inject: async () => pin("true"), mend: async () => pin(null) },
      SnapshotRetainerNoRoom: {
        async inject() {
          await pin("true");
          const { backup, upload, handle } = await beginBackup(api, aName("b"), data.claim);
          await endBackup(api, { backup, upload, handle }, "canceled");
        },
        mend: async () => pin(null),
      },
      SnapshotRetainerActionsFail: {
        async inject() {
          await withdrawRights();
          await product.applyPolicy({ ...POLICY, snapshotsToRetain: 1 });
        },
        async mend() {
          await helmUpgrade();
          await product.applyPolicy(POLICY);
        },
      },
    };

    for (const [alert, { inject, mend }] of Object.entries(faults)) {
      test(`${alert} fires, and its runbook ends it`, async () => {
        const tool = {
          promtool: promtool.kind === "found" ? promtool.file : "",
          directory,
          rules: "rules.yaml",
        };
        const well = await scrape();
        assert.ok(!(await fires(tool, alert, { before: well, after: well, at: Date.now() / 1000 })));
        try {
          await inject();
          await eventually(
            "the alert fires",
            async () =>
              assert.ok(
                await fires(tool, alert, { before: well, after: await scrape(), at: Date.now() / 1000 }),
              ),
            60_000,
          );
        } finally {
          await mend();
        }
        await eventually(
          "it fires no more",
          async () => {
            const mended = await scrape();
            await new Promise((resolve) => setTimeout(resolve, 1_500));
            const now = await scrape();
            assert.ok(!(await fires(tool, alert, { before: mended, after: now, at: Date.now() / 1000 })));
          },
          90_000,
        );
      });
    }
  },
);

const POLICY_REF: Ref = {
  apiVersion: "v1",
  kind: "ConfigMap",
  metadata: { name: "snapshot-retainer-policy", namespace: NAMESPACE },
};
const CONFIGURATION: Ref = {
  apiVersion: "admissionregistration.k8s.io/v1",
  kind: "MutatingWebhookConfiguration",
  metadata: { name: "snapshot-retainer" },
};
